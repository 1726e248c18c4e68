import unicodedata

import pytest

from dokhae.data import check_answers, read_examples, sample_path

HANDWRITTEN = sample_path("handwritten")


@pytest.fixture(scope="module")
def examples():
    return read_examples(HANDWRITTEN)


def of_language(examples, language):
    return [example for example in examples if f"-{language}-" in example.id]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_each_language_has_forty_passages_or_more(examples, language):
    mine = of_language(examples, language)
    assert len({example.context for example in mine}) >= 40
    assert 130 <= len(mine) <= 165


def test_the_answers_are_at_their_offsets(examples):
    check_answers(examples, HANDWRITTEN)


def test_ids_and_questions_are_unique(examples):
    assert len({example.id for example in examples}) == len(examples)
    assert len({(example.context, example.question) for example in examples}) == len(examples)


def test_every_passage_has_an_answerable_question(examples):
    answerable = {example.context for example in examples if example.answers}
    assert {example.context for example in examples} == answerable


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_fifth_to_two_fifths_of_the_questions_have_no_answer(examples, language):
    mine = of_language(examples, language)
    unanswerable = sum(not example.answers for example in mine)
    assert 0.2 <= unanswerable / len(mine) <= 0.4


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_no_passage_comes_from_the_templates(examples, split):
    made = {example.context for example in read_examples(sample_path(split))}
    assert made & {example.context for example in examples} == set()


def test_most_korean_answers_are_followed_by_a_particle_that_is_no_part_of_them(examples):
    answered = [example for example in of_language(examples, "ko") if example.answers]
    followed = [example for example in answered if is_hangul(example.context[example.answers[0].end :][:1])]
    assert len(followed) / len(answered) >= 0.6


def is_hangul(text):
    return "가" <= text <= "힣"


def test_answers_are_whole_words_without_space_around_them(examples):
    for example in examples:
        for answer in example.answers:
            assert answer.text == answer.text.strip(), example.id
            before, after = example.context[: answer.start][-1:], example.context[answer.end :][:1]
            assert not before.isalpha(), example.id
            assert not after.isascii() or not after.isalnum(), example.id


def test_everything_is_composed():
    text = HANDWRITTEN.read_text(encoding="utf-8")
    assert unicodedata.is_normalized("NFC", text)


def test_a_passage_is_as_long_as_a_short_text(examples):
    lengths = {
        language: [len(example.context) for example in of_language(examples, language)] for language in ("ko", "en")
    }
    assert min(lengths["ko"]) >= 60 and max(lengths["ko"]) <= 300
    assert min(lengths["en"]) >= 120 and max(lengths["en"]) <= 500
