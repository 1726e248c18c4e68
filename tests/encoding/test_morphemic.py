"""Texts as morphemes: the ids that ETRI's vocabulary gives them, and where each token stands in the text as it was."""

from __future__ import annotations

import functools
import re
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dokhae.encoding import PairTokenizer, WindowConfig, assemble, build_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.morphemic import Morphemic
from dokhae.encoding.offsets import tokens_of
from dokhae.korean import analysis
from dokhae.korean.morphemes import Morpheme
from dokhae.model import loading
from dokhae.types import Answer, Example
from encoding.texts import texts
from etri_on_the_spot import ANALYSERS, entries, units, write_etri

WORDS = [
    "그는", "갔다", "공부했다", "의사다", "사람이", "마을에서", "도와줬다", "배운다", "라별호는", "빙찬랑이었다",
    "1802년에", "Lorn은", "😀", "👨\u200d👩\u200d👧가", "大韓民國", "café", "(서울)", ".", "?\n", "\n\n", "\t",
]  # fmt: skip
NAMES = re.compile("라별호|우란재|향목촌|빙찬랑")
analysers = pytest.mark.parametrize("analyser", ANALYSERS)
many = settings(deadline=None, max_examples=80, derandomize=True)


@st.composite
def korean(draw):
    """Words with and without a space between them, composed or not."""
    text = "".join(draw(st.lists(st.sampled_from([*WORDS, " "]), max_size=9)))
    return unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), text)


@functools.cache
def fast():
    with tempfile.TemporaryDirectory() as folder:
        return loading.load_tokenizer(loading.locate(write_etri(Path(folder) / "etri")))


class ByNames:
    """An analyser that finds NAMES, and takes every other character for a morpheme of its own."""

    identity = "names"

    def analyse(self, several):
        return [[Morpheme(found[0], "NNP" if len(found[0]) > 1 else "JX", *found.span())
                 for found in re.finditer(f"{NAMES.pattern}|\\S", text)] for text in several]  # fmt: skip


@functools.cache
def reads(analyser):
    """The tokenizer as dokhae sees it."""
    if analyser == "names":
        return PairTokenizer.of(fast(), None, Morphemic(ByNames()))
    return tokenizer_of(fast(), morphemes=analyser)


def pieces(text, analyser):
    """(entry, what it stands for) of each token."""
    (tokens,) = reads(analyser).tokenize([text])
    names = fast().convert_ids_to_tokens(tokens.ids.tolist())
    return [(name, text[first:after]) for name, first, after in zip(names, tokens.starts, tokens.ends, strict=True)]


def longest_matches(unit):
    """What a unit is cut into, the plain way."""
    known, found = set(entries()), []
    while unit:
        piece = next((unit[:size] for size in range(len(unit), 0, -1) if unit[:size] in known), None)
        if piece is None:
            return ["[UNK]"]
        found.append(piece)
        unit = unit[len(piece) :]
    return found


def without_spaces(unit):
    return "".join(unit.split())


@analysers
@many
@given(st.one_of(texts(), korean()))
@example("")
@example("[SEP] 나는 [MASK]")
def test_ids_are_those_of_a_plain_longest_match(analyser, text):
    wanted = [piece for unit in units(text, analyser) for piece in longest_matches(without_spaces(unit))]
    (tokens,), (ids,) = reads(analyser).tokenize([text]), reads(analyser).tokenize_ids([text])
    assert fast().convert_ids_to_tokens(tokens.ids.tolist()) == wanted
    assert ids.tolist() == tokens.ids.tolist()


@analysers
@many
@given(st.one_of(texts(), korean()))
def test_ranges_are_of_the_text_and_never_step_back(analyser, text):
    (tokens,) = reads(analyser).tokenize([text])
    assert (np.diff(tokens.starts) >= 0).all() and (np.diff(tokens.ends) >= 0).all()
    assert (tokens.starts <= tokens.ends).all()
    for first, after in zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True):
        assert first >= 0 and after <= len(text)
        assert text[first:after] == text[first:after].strip()


@analysers
@many
@given(korean())
def test_what_begins_and_ends_with_morphemes_can_be_answered_exactly(analyser, text):
    (tokens,) = reads(analyser).tokenize([text])
    solid = [one for one in analysis.find(analyser).analyse([text])[0] if one.end > one.start]
    for number, first in enumerate(solid):
        for last in solid[number : number + 3]:
            found = tokens_of(tokens.starts, tokens.ends, first.start, last.end)
            assert found is not None
            assert (tokens.starts[found[0]], tokens.ends[found[1]]) == (first.start, last.end)


@analysers
@many
@given(st.lists(st.one_of(texts(), korean()), max_size=4))
def test_texts_do_not_know_of_each_other(analyser, several):
    for text, together in zip(several, reads(analyser).tokenize(several), strict=True):
        (alone,) = reads(analyser).tokenize([text])
        assert alone.ids.tolist() == together.ids.tolist()
        assert alone.starts.tolist() == together.starts.tolist()
        assert alone.ends.tolist() == together.ends.tolist()


def test_the_pieces_of_a_morpheme_stand_for_their_own_characters():
    assert pieces("라별호는 우란재", "names") == [
        ("라", "라"), ("별", "별"), ("호/NNP_", "호"), ("는/JX_", "는"),
        ("우", "우"), ("란", "란"), ("재", "재"), ("/NNP_", "재"),
    ]  # fmt: skip
    assert pieces("1802년에", "kiwi")[-2:] == [("년/NNB_", "년"), ("에/JKB_", "에")]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(("analyser", "past"), [("kiwi", "었/EP_"), ("mecab", "았/EP_")])
def test_a_contraction_stands_for_its_syllable_twice(analyser, past, form):
    went, studied = (unicodedata.normalize(form, syllable) for syllable in ("갔", "했"))
    assert [one for one in pieces(unicodedata.normalize(form, "그는 갔다."), analyser) if one[1] == went] == [
        ("가/VV_", went), (past, went)
    ]  # fmt: skip
    assert [one for one in pieces(unicodedata.normalize(form, "공부했다."), analyser) if one[1] == studied] == [
        ("하/XSV_", studied), (past, studied)
    ]  # fmt: skip


@pytest.mark.parametrize(("analyser", "stands_for"), [("kiwi", ""), ("mecab", "다")])
def test_a_copula_that_is_not_written_takes_nothing_from_its_noun(analyser, stands_for):
    found = pieces("그는 의사다.", analyser)
    assert ("이/VCP_", stands_for) in found
    assert answered("그는 의사다.", "의사", analyser) == "의사"


@analysers
@pytest.mark.parametrize("before", ["", " ", "\t\n ", "\u3000", "\x00"])
def test_white_space_before_a_text_shifts_nothing(analyser, before):
    assert [said for _, said in pieces(f"{before}그는 사람\x00마을", analyser) if len(said) == 2] == ["사람", "마을"]


@analysers
def test_lines_of_a_text_do_not_shift_each_other(analyser):
    text = "첫 마을이다.\n\n  둘째 마을은\r\n서울이다.\t"
    assert [said for _, said in pieces(text, analyser) if said == "마을"] == ["마을"] * 2
    assert answered(text, "서울", analyser) == "서울"


@analysers
@pytest.mark.parametrize(
    "text", ["👨\u200d👩\u200d👧 서울에서", "e\u0301cole 서울에서", "가나 \u1109\u1165\u110b\u116e\u11af에서"]
)
def test_what_has_more_characters_than_it_seems_shifts_nothing(analyser, text):
    wanted = "서울" if "서울" in text else unicodedata.normalize("NFD", "서울")
    assert answered(text, wanted, analyser) == wanted


def test_a_lemma_with_spaces_or_without_letters_is_one_unit():
    class Odd:
        identity = "odd"

        def analyse(self, texts):
            return [
                [Morpheme("두 말", "NNG", 0, 3), Morpheme("", "JKO", 3, 3), Morpheme("끝", "NNG", 3, 4)] for _ in texts
            ]

    written = Morphemic(Odd()).rewrite(["두 말끝", "두 말끝"])
    assert written.texts == ["두말/NNG_ /JKO_ 끝/NNG_ "] * 2
    assert len(written.starts) == len(written.ends) == 2 * (len(written.texts[0]) + 1)
    assert written.starts.tolist() == [0] * 8 + [3] * 6 + [3] * 7 + [4] + [0] * 8 + [3] * 6 + [3] * 7 + [4]
    assert written.ends.tolist() == [3] * 8 + [3] * 6 + [4] * 7 + [4] + [3] * 8 + [3] * 6 + [4] * 7 + [4]


def test_another_analyser_is_another_tokenizer_to_the_cache():
    assert reads("kiwi").identity != reads("mecab").identity


# The three faults of the code that published the scores

and_by_names = pytest.mark.parametrize("analyser", ["names", *ANALYSERS])
CONTEXT = "라별호는 우란재에서 진수되었다. 로조호는 향목촌으로 향했다. 선장은 빙찬랑"


def features_of(text, *answers, analyser="kiwi", **windows):
    examples = [
        Example(f"q{number}", "선장은?", text, (Answer(answer, text.rindex(answer)),))
        for number, answer in enumerate(answers)
    ]
    return examples, build_features(examples, reads(analyser), WindowConfig(**windows))


def answered(text, answer, analyser="kiwi"):
    """What is read off the tokens that an answer becomes."""
    _, features = features_of(text, answer, analyser=analyser)
    first, last = features.answer_start[0], features.answer_end[0]
    return text[features.context_starts[first] : features.context_ends[last]]


@and_by_names
def test_windows_hold_answers_by_their_tokens_not_by_their_morphemes(analyser):
    """Fault 1: whether an answer is outside of a window was asked of the numbers of its morphemes."""
    examples, features = features_of(CONTEXT, "라별호", "향목촌", "빙찬랑", analyser=analyser, max_length=24, step=6)
    assert analyser == "names" or features.answer_start[2] >= len(units(CONTEXT, analyser))  # no morpheme's number
    batch = assemble(features, np.arange(features.window_count), reads(analyser).layout)
    held = {example.id: 0 for example in examples}
    for row in range(features.window_count):
        example = examples[features.window_example[row]]
        tokens = slice(features.window_start[row], features.window_end[row])
        starts, ends = features.context_starts[tokens], features.context_ends[tokens]
        gold = example.answers[0]
        label = (batch.start_labels[row] - batch.context_at[row], batch.end_labels[row] - batch.context_at[row])
        after = features.context_ends[tokens.stop : tokens.stop + 1]  # may be the tag of the answer's last morpheme
        if gold.start in starts and gold.end in ends and gold.end not in after:
            held[example.id] += 1
            assert (starts[label[0]], ends[label[1]]) == (gold.start, gold.end)
        else:
            assert batch.start_labels[row] == batch.end_labels[row] == batch.cls[row]
    assert min(held.values()) >= 1
    assert sum(held.values()) < features.window_count


@and_by_names
@pytest.mark.parametrize("max_length", [384, 20])
def test_an_answer_in_the_last_morpheme_has_all_of_its_tokens(analyser, max_length):
    """Fault 2: of the last morpheme, of the text or of a window, only the first token was the answer's."""
    _, features = features_of(CONTEXT, "빙찬랑", analyser=analyser, max_length=max_length, step=5)
    first, last = features.answer_start[0], features.answer_end[0]
    assert last == len(features.context_ids) - 1
    assert last - first >= 2
    assert CONTEXT[features.context_starts[first] : features.context_ends[last]] == "빙찬랑"
    batch = assemble(features, np.array([features.window_count - 1]), reads(analyser).layout)
    end = len(batch.ids) - 2  # before the last [SEP]
    assert (batch.start_labels[0], batch.end_labels[0]) == (end - (last - first), end)


@analysers
@pytest.mark.parametrize(
    ("text", "answer"),
    [("라별호는  향했다.", "  "), ("\n 라별호", "\n "), ("라별호\u3000", "\u3000"), (" \n ", "\n"), ("라별호 ", " ")],
)
def test_an_answer_that_no_token_stands_for_is_none_and_stops_nothing(analyser, text, answer):
    """Fault 3: an answer that could not be mapped ended the program."""
    examples, features = features_of(text, answer, analyser=analyser)
    assert (features.answer_start[0], features.answer_end[0]) == (-1, -1)
    batch = assemble(features, np.arange(features.window_count), reads(analyser).layout)
    assert batch.start_labels.tolist() == batch.end_labels.tolist() == batch.cls.tolist()
    outside = [Example("q", "선장은?", text, (Answer("빙찬랑", 500),))]
    assert build_features(outside, reads(analyser), WindowConfig()).answer_start.tolist() == [-1]


@pytest.mark.parametrize(("analyser", "widened"), [("kiwi", None), ("mecab", "배운다")])
def test_an_answer_inside_of_a_contraction_is_widened_to_it_or_none(analyser, widened):
    _, features = features_of("그는 배운다.", "운", analyser=analyser)  # kiwi: 배우 of 배운, ㄴ다 of 운다
    assert (features.answer_start[0] < 0) == (features.answer_end[0] < 0) == (widened is None)
    assert widened is None or answered("그는 배운다.", "운", analyser) == widened
