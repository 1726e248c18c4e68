import runpy
from pathlib import Path

import pytest

from dokhae.data import check_answers, read_examples, sample_path
from dokhae.errors import DataError

TOOL = Path(__file__).parents[2] / "tools" / "make_sample.py"


@pytest.fixture(scope="module")
def tool():
    return runpy.run_path(str(TOOL), run_name="make_sample")


def of_language(examples, language):
    return [example for example in examples if f"-{language}-" in example.id]


@pytest.mark.parametrize(
    ("split", "questions", "korean", "unanswerable"), [("train", 900, 450, 180), ("dev", 204, 102, 41)]
)
def test_the_sample_has_its_counts(split, questions, korean, unanswerable):
    examples = read_examples(sample_path(split))
    assert len({example.id for example in examples}) == len(examples) == questions
    assert len(of_language(examples, "ko")) == korean
    assert sum(not example.answers for example in examples) == unanswerable


@pytest.mark.parametrize("split", ["train", "dev"])
def test_the_answers_are_at_their_offsets(split):
    check_answers(read_examples(sample_path(split)), split)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_contexts_have_two_to_four_sentences(split):
    counts = {example.context.count(". ") + 1 for example in read_examples(sample_path(split))}
    assert counts == {2, 3, 4}


def test_the_tool_writes_the_packaged_files(tool, tmp_path):
    tool["write_sample"](tmp_path)
    for split in ("train", "dev"):
        assert (tmp_path / f"{split}.json").read_bytes() == sample_path(split).read_bytes()


def test_no_name_of_the_dev_split_occurs_in_the_train_split():
    text = "\n".join(example.context for example in read_examples(sample_path("train")))
    names = set()
    for example in read_examples(sample_path("dev")):
        asks_for_a_name = any(
            word in example.question for word in ("누구", "누가", "어디", "Who", "whom", "Where", "town")
        )
        names |= {example.title} | {answer.text for answer in example.answers if asks_for_a_name}
    assert len(names) == 147
    assert [name for name in names if name in text] == []


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
    ],
)
def test_particles_follow_the_last_sound(tool, noun, particle, whole):
    assert tool["with_particle"](noun, particle) == whole


def test_an_unknown_split_lists_the_known_ones():
    with pytest.raises(DataError, match="has no 'test'; it has train, dev, vocabulary"):
        sample_path("test")


def test_the_vocabulary_can_be_made_again(tmp_path):
    tool = TOOL.with_name("make_vocabulary.py")
    made = runpy.run_path(str(tool), run_name="make_vocabulary")["vocabulary"]()
    assert sample_path("vocabulary").read_text(encoding="utf-8").splitlines() == made
    assert len(made) == len(set(made))
