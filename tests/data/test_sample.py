import zlib
from collections import Counter
from itertools import islice

import make_sample
import pytest
from sample.names import FORMS, SPLITS, Draw, with_particle
from sample.passages import EASY, HARD, LANGUAGES, SLOT, kinds, passages, render, slots
from sample.vocabulary import vocabulary

from dokhae.data import check_answers, read_examples, sample_path
from dokhae.errors import DataError
from dokhae.files import read_json

GENERATED = {"train": 1500, "dev": 60, "test": 160}  # passages


def of_language(examples, language):
    return [example for example in examples if f"-{language}-" in example.id]


@pytest.mark.parametrize("split", GENERATED)
def test_the_sample_has_its_counts(split):
    examples = read_examples(sample_path(split))
    assert len({example.id for example in examples}) == len(examples) == 3 * GENERATED[split]
    for language in LANGUAGES:
        own = of_language(examples, language)
        assert len(own) == len(examples) / 2
        assert sum(not example.answers for example in own) == len(own) / 3


@pytest.mark.parametrize("split", GENERATED)
def test_the_answers_are_at_their_offsets(split):
    check_answers(read_examples(sample_path(split)), split)


def test_the_tool_writes_the_packaged_files(tmp_path):
    make_sample.write_sample(tmp_path)
    for split in GENERATED:
        assert (tmp_path / f"{split}.json").read_bytes() == sample_path(split).read_bytes()


def test_a_name_belongs_to_one_split():
    assert sorted(digit for digits in SPLITS.values() for digit in digits) == list(range(10))
    for language in LANGUAGES:
        for maker in FORMS[language]:
            for split, digits in SPLITS.items():
                draw = Draw(1)
                names = {draw.name(language, maker, split) for _ in range(10)}
                assert {zlib.crc32(name.encode()) % 10 for name in names} <= set(digits)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_no_passage_is_about_a_thing_of_the_train_split(split):
    titles = {example.title for example in read_examples(sample_path("train"))}
    assert not titles & {example.title for example in read_examples(sample_path(split))}


def has_rival(passage, fact):
    types = passage.kind.values
    return any(types[other[1]] == types[fact[1]] for other in passage.stated if other != fact)


@pytest.mark.parametrize("difficulty", [EASY, HARD])
def test_every_passage_has_two_values_of_one_type(difficulty):
    every = [
        [has_rival(passage, fact) for fact in passage.stated]
        for passage in islice(passages(Draw(3), "test", difficulty), 400)
    ]
    assert all(any(rivals) for rivals in every)
    assert sum(map(sum, every)) > 0.45 * sum(map(len, every))


@pytest.mark.parametrize("language", LANGUAGES)
def test_templates_hold_what_they_state(language):
    for kind in kinds(language):
        for attribute in kind.values:
            for template in kind.statements[attribute]:
                assert slots(template) == {attribute}, template
                assert Counter(name.lower() for name, _ in SLOT.findall(template))["name"] == 1, template
            for template in kind.questions[attribute]:
                assert slots(template) == set(), template
                assert "name" in template.lower(), template
        assert all(len(slots(template)) >= 2 and slots(template) <= kind.values.keys() for template in kind.together)
        assert not any(slots(template) for template in kind.asides)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_template_is_given_twice_in_a_kind(language):
    for kind in kinds(language):
        for forms in (kind.statements, kind.questions):
            templates = [template for group in forms.values() for template in group]
            assert len(templates) == len(set(templates)) >= 5 * len(kind.values)


def test_rendering_says_where_each_value_starts():
    text, starts = render(
        "{captain:이} 지휘한 {name:은} {port}에서 떠났다.", {"captain": "한나리", "name": "솔온호", "port": "가람항"}
    )
    assert text == "한나리가 지휘한 솔온호는 가람항에서 떠났다."
    assert [text[start : start + 3] for start in starts.values()] == ["한나리", "솔온호", "가람항"]


@pytest.mark.parametrize(
    ("noun", "particle", "whole"),
    [
        ("가람호", "은", "가람호는"),
        ("너울항", "은", "너울항은"),
        ("소금", "이", "소금이"),
        ("기와", "이", "기와가"),
        ("보리", "을", "보리를"),
        ("밀랍", "을", "밀랍을"),
        ("붓", "으로", "붓으로"),
        ("벼루", "으로", "벼루로"),
        ("연필", "으로", "연필로"),
        ("연필", "과", "연필과"),
        ("종이", "과", "종이와"),
        ("한나리", "이었다", "한나리였다"),
        ("『구름의 뼈』", "을", "『구름의 뼈』를"),
    ],
)
def test_particles_follow_the_last_sound(noun, particle, whole):
    assert with_particle(noun, particle) == whole


def test_an_unknown_part_lists_the_known_ones():
    with pytest.raises(DataError, match="has no 'trian'; it has train, dev, test, handwritten, encoder"):
        sample_path("trian")


def test_the_encoder_has_the_vocabulary_of_the_templates():
    made = vocabulary()
    assert len(made) == len(set(made))
    pieces = read_json(sample_path("encoder") / "tokenizer.json")["model"]["vocab"]
    assert sorted(pieces, key=pieces.__getitem__) == made
