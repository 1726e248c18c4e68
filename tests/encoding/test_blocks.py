"""Windows over pages: what leads in front of them, where they begin, which answers are blocks; portions on disk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from speed.pages import document

from dokhae.encoding import WindowConfig, assemble, build_features, cache, cached_features, sequence_lengths
from dokhae.encoding.blocks import SHORT
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.pages import add_markers
from dokhae.pages.text import PageConfig
from dokhae.types import Answer, Example
from tokenizers_on_the_spot import pair_tokenizer, train_tokenizer

SECTION = "<p>{}</p>"
# a title, two sections of the same height, the second one with a part of its own
PAGE = (
    f"<h1>town</h1>{SECTION.format('a ' * 20)}<h2>one</h2>{SECTION.format('b ' * 20)}"
    f"<h2>two</h2>{SECTION.format('c ' * 20)}<h3>part</h3>{SECTION.format('d ' * 20)}<table><tr><td>{'e ' * 20}</table>"
)


def prepared(kind="bert"):
    fast = train_tokenizer(kind)
    add_markers(fast)
    return fast, tokenizer_of(fast, pages=PageConfig())


@pytest.fixture(scope="module")
def bert():
    return prepared()


def ask(page, gold=None, name="q"):
    return Example(name, "a?", page, () if gold is None else (Answer(gold, page.index(gold)),))


def leads_of(features, fast):
    """The lead of each window, as text."""
    bounds = features.lead_bounds.tolist()
    texts = [fast.decode(features.lead_ids[first:last]) for first, last in zip(bounds, bounds[1:], strict=False)]
    return [" ".join("".join(one for one in texts[number] if one.isascii()).split()) for number in features.window_lead]


def firsts_of(features, fast):
    """The letter that a window begins with; "" where that is a marker."""
    return ["".join(filter(str.isascii, fast.decode([features.context_ids[start]]))) for start in features.window_start]


def test_a_window_is_led_by_the_headings_that_it_stands_under(bert):
    fast, tokenizer = bert
    features = build_features([ask(PAGE)], tokenizer, WindowConfig(max_length=24, step=7, lead=9))
    seen = dict.fromkeys(zip(firsts_of(features, fast), leads_of(features, fast), strict=True))
    words = [pair for pair in seen if pair[0] in tuple("abcde")]
    assert words == [
        ("a", "town"), ("b", "town one"), ("c", "town two"), ("d", "town two part"), ("e", "town two part"),
    ]  # fmt: skip
    assert leads_of(features, fast)[0] == ""  # it begins with the title


def test_a_window_that_begins_with_a_heading_is_led_by_what_is_above_it_alone(bert):
    fast, tokenizer = bert
    features = build_features([ask(PAGE)], tokenizer, WindowConfig(max_length=28, step=1, lead=9))
    ids, found = features.context_ids, {}
    for start, lead in zip(features.window_start.tolist(), leads_of(features, fast), strict=True):
        if ids[start] in tokenizer.layout.headings and start:
            found[fast.decode(ids[start + 1 : start + 3])] = lead
    assert list(found.values()) == ["town", "town", "town two"]


def test_a_lead_is_cut_and_takes_its_room_from_the_window(bert):
    fast, tokenizer = bert
    plain, led = (
        build_features([ask(PAGE)], tokenizer, WindowConfig(max_length=24, step=7, lead=lead)) for lead in (0, 2)
    )
    assert set(leads_of(plain, fast)) == {""} and len(plain.lead_ids) == 0
    assert set(np.diff(led.lead_bounds).tolist()) == {0, 2}
    assert max(np.diff([plain.window_start, plain.window_end], axis=0)[0]) == 24 - 5
    assert max(np.diff([led.window_start, led.window_end], axis=0)[0]) == 24 - 5 - 2
    assert sequence_lengths(led, tokenizer.layout).max() == 24


def test_what_fits_into_one_window_has_no_lead_and_all_the_room(bert):
    features = build_features([ask("<h1>town</h1><p>a b c</p>")], bert[1], WindowConfig(max_length=16, step=1, lead=9))
    assert (features.window_count, features.window_lead.tolist()) == (1, [0])


def test_windows_begin_at_a_border_that_is_near_and_cover_everything(bert):
    fast, tokenizer = bert
    page = "".join(SECTION.format("a " * length) for length in (20, 28, 26, 40, 3, 2, 9))
    features = build_features([ask(page)], tokenizer, WindowConfig(max_length=64, step=32))
    borders = np.flatnonzero(np.isin(features.context_ids, tokenizer.layout.markers)).tolist()
    assert borders == [0, 21, 50, 77, 118, 122, 125]
    # 32: 21 is too far, so it begins there; 64: 50 is too far; 96 likewise; 128: 125 is at most 4 before it
    assert features.window_start.tolist() == [0, 32, 64, 96][: features.window_count]
    near = build_features([ask(page)], tokenizer, WindowConfig(max_length=64, step=24))
    assert near.window_start.tolist()[:4] == [0, 21, 45, 69]  # 24: 21 is 3 before it
    for found in (features, near):
        assert (found.window_start[1:] <= found.window_end[:-1]).all()
        assert (found.window_start[0], found.window_end[-1]) == (0, len(found.context_ids))


@pytest.mark.parametrize(
    ("gold", "first"),
    [
        ("<td>2016</td>", "2"),
        ("<p>a</p>", "a"),
        (f"<p>{'a ' * SHORT}</p>", "a"),
        (f"<p>{'a ' * (SHORT + 1)}</p>", "p"),
        ("<p>a</p><p>b</p>", "p"),
        ("<table><tr><td>a</td></tr></table>", "table"),
        ("<ul></ul>", "ul"),
        ("<td></td>", "td"),
    ],
)
def test_a_short_answer_of_one_block_begins_with_its_text(bert, gold, first):
    fast, tokenizer = bert
    example = ask(f"<p>the</p>{gold}<p>town</p>", gold)
    features = build_features([example], tokenizer, WindowConfig())
    start, end = int(features.answer_start[0]), int(features.answer_end[0])
    piece = example.context[features.context_starts[start] : features.context_ends[start]]
    assert piece.strip("<>").startswith(first) and piece.startswith("<") == (first not in ("2", "a"))
    batch = assemble(features, np.arange(1), tokenizer.layout)
    assert batch.blocks.answered.tolist() == [piece.startswith("<")]
    assert batch.ids[batch.start_labels[0]] == features.context_ids[start]
    if batch.blocks.answered[0]:
        assert batch.blocks.starts[batch.start_labels[0]] and batch.blocks.ends[batch.end_labels[0]]
        assert end >= start


@pytest.mark.parametrize("kind", ["bert", "xlnet", "roberta", "roberta-left"])
def test_blocks_begin_with_markers_and_end_before_the_next(kind):
    fast, tokenizer = prepared(kind)
    page = "the<p>a b</p><table><td>c<td></table>town"
    features = build_features([ask(page)], tokenizer, WindowConfig())
    batch = assemble(features, np.arange(1), tokenizer.layout)
    at = slice(int(batch.context_at[0]), int(batch.context_at[0]) + len(features.context_ids))
    assert batch.ids[at].tolist() == features.context_ids.tolist()
    pieces = [page[first:last] for first, last in zip(features.context_starts, features.context_ends, strict=True)]
    starts = [one for one, begins in zip(pieces, batch.blocks.starts[at], strict=True) if begins]
    ends = [one for one, is_end in zip(pieces, batch.blocks.ends[at], strict=True) if is_end]
    assert starts == ["<p>", "<table>", "<td>", "<td>"]
    # the end of a table ends a block whatever stands behind it
    assert [one for one in ends if one.startswith("<")] == ["<table>", "<td>", "</table>"] and ends[-1][-1] == "n"
    assert {"b", "c"} <= set(ends) and "a" not in ends
    assert not batch.blocks.starts[~batch.legal].any() and not batch.blocks.ends[~batch.legal].any()


def test_blocks_of_neighbouring_windows_are_apart_and_of_plain_text_there_are_none(bert):
    fast, tokenizer = bert
    features = build_features([ask(PAGE)], tokenizer, WindowConfig(max_length=24, step=7, lead=9))
    batch = assemble(features, np.arange(features.window_count), tokenizer.layout)
    for row, (start, length) in enumerate(zip(batch.context_at, batch.lengths, strict=True)):
        tokens = features.window_end[row] - features.window_start[row]
        window = slice(int(features.window_start[row]), int(features.window_end[row]))
        assert batch.ids[start : start + tokens].tolist() == features.context_ids[window].tolist()
        before = batch.starts[row]
        lead = slice(*features.lead_bounds[features.window_lead[row] :][:2])
        assert batch.ids[start - (lead.stop - lead.start) : start].tolist() == features.lead_ids[lead].tolist()
        assert not batch.legal[before:start].any() and batch.legal[start : start + tokens].all()
        assert batch.blocks.ends[start + tokens - 1]  # a block that goes on ends with its window
        assert before + length == start + tokens + 1
    plain = build_features([ask("a b")], pair_tokenizer("bert"), WindowConfig())
    assert assemble(plain, np.arange(1), pair_tokenizer("bert").layout).blocks is None


def test_long_answers_of_made_up_documents_are_ranges_of_blocks(bert):
    examples = [example for number in range(60) for example in examples_of(document(number, 3, "small"))]
    features = build_features(examples, bert[1], WindowConfig(512, overlap=128))
    batch = assemble(features, np.arange(features.window_count), bert[1].layout)
    blocks = batch.blocks
    assert 10 < blocks.answered.sum() < len(examples)
    assert blocks.ends[batch.end_labels[blocks.answered]].all()
    golds = [examples[features.window_example[row]].answers[0].text for row in np.flatnonzero(blocks.answered)]
    assert all(gold.startswith(("<p>", "<table>", "<ul>", "<ol>", "<dl>")) for gold in golds)


def examples_of(record):
    return [
        Example(question["id"], question["question"], record["context"],
                (Answer(question["answer"]["text"], question["answer"]["answer_start"]),))
        for question in record["qas"]
    ]  # fmt: skip


@pytest.mark.parametrize("pages", [True, False], ids=["pages", "plain text"])
def test_features_that_are_stored_in_portions_are_those_built_at_once(pages, bert, tmp_path, monkeypatch):
    examples = [example for number in range(9) for example in examples_of(document(number, 4, "small"))]
    tokenizer = bert[1] if pages else pair_tokenizer("bert")
    examples[5] = replace(examples[5], question="길다 " * 40)
    config = WindowConfig(max_length=96, overlap=20, max_question_length=30, lead=12)
    whole = build_features(examples, tokenizer, config)
    monkeypatch.setattr(cache, "CHARACTERS", 5_000)
    done = []
    stored = cached_features(examples, tokenizer, config, tmp_path, done.append)
    assert len(cache._portions(examples)) > 3
    assert done == sorted(done) and done[-1] == 9
    assert [path.suffix for path in tmp_path.iterdir()] == [".features"]
    again = cached_features(examples, tokenizer, config, tmp_path, done.append)
    for found in (stored, again):
        for name in ("context_ids", "context_starts", "context_ends", "context_bounds", "question_ids",
                     "question_bounds", "example_context", "answer_start", "answer_end", "window_example",
                     "window_start", "window_end", "lead_ids", "truncated_questions"):  # fmt: skip
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name), name)
            assert getattr(found, name).dtype == getattr(whole, name).dtype
        # each portion has an empty lead of its own
        ours, theirs = (assemble(one, np.arange(one.window_count), tokenizer.layout) for one in (found, whole))
        assert ours.ids.tolist() == theirs.ids.tolist() and ours.cls.tolist() == theirs.cls.tolist()
        assert ours.start_labels.tolist() == theirs.start_labels.tolist()
        part, other = (one.part(6, 12) for one in (found, whole))
        for name in ("window_start", "answer_start", "truncated_questions"):
            np.testing.assert_array_equal(getattr(part, name), getattr(other, name), name)
