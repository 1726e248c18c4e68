"""Made-up pages: right offsets, the shape and the shares of the real ones, the same whatever was made before."""

from __future__ import annotations

import json
import re

import pytest

from dokhae.data import read_korquad2
from speed import pages

KINDS = {"prose", "table", "list", "long prose", "long table", "long list"}


@pytest.fixture(scope="module")
def made():
    return {
        size: [pages.document(number, 0, size) for number in range(count)]
        for size, count in (("real", 150), ("small", 150))
    }


@pytest.fixture(scope="module")
def shares(made):
    tallies = {size: pages.Tally() for size in made}
    for size, documents in made.items():
        for one in documents:
            tallies[size].add(one)
    return {size: tally.shares() for size, tally in tallies.items()}


@pytest.mark.parametrize("size", ["real", "small"])
def test_every_answer_is_where_it_is_said_to_be(made, size):
    found = set()
    for one in made[size]:
        for question in one["qas"]:
            answer = question["answer"]
            for text, name in ((one["context"], "answer_start"), (one["raw_html"], "html_answer_start")):
                gold = answer["text" if name == "answer_start" else "html_answer_text"]
                assert gold and text[answer[name] : answer[name] + len(gold)] == gold
            assert pages.without_attributes(answer["html_answer_text"]) == answer["text"]
            assert question["question"].startswith(one["title"])
            found.add(pages.kind_of(one["context"], answer))
    assert found == KINDS


def test_no_tags_could_be_added_to_a_gold(made):
    for one in made["small"]:
        for question in one["qas"]:
            start, text = question["answer"]["answer_start"], question["answer"]["text"]
            before, after = one["context"][:start], one["context"][start + len(text) :]
            opening = re.search(r"<(\w+)[^<>]*>$", before)
            assert opening is None or not after.startswith(f"</{opening[1]}>")


@pytest.mark.parametrize(
    ("html", "gold"),
    [
        ("<td><a>도둑들</a></td>", "<td><a>도둑들</a></td>"),
        ("<td>도둑들\n</td>", "도둑들"),
        ("<td><a>도둑들</a>\n</td>", "<a>도둑들</a>"),
        ('<td colspan="2"><b>도둑들</b></td>', '<td colspan="2"><b>도둑들</b></td>'),
        ("<li>영화: 도둑들</li>", "도둑들"),
        ("도둑들</a>", "도둑들"),
    ],
)
def test_golds_take_the_tags_that_hold_nothing_else(html, gold):
    start = html.index("도둑들")
    start, end = pages.outwards(html, start, start + 3)
    assert html[start:end] == gold


def test_long_golds_are_whole_blocks(made):
    golds = [question["answer"]["text"] for one in made["small"] for question in one["qas"]]
    for name, end in (("p", "\n</p>"), ("table", "</tbody></table>"), ("ul", "</li></ul>"), ("dl", "</dd></dl>")):
        blocks = [gold for gold in golds if gold.startswith(f"<{name}>")]
        assert blocks and all(block.endswith(end) for block in blocks)
    assert any("</p><p>" in gold for gold in golds)
    assert any(gold.startswith("<td><a>") for gold in golds) and any(gold.startswith("<dd>") for gold in golds)


def test_contexts_are_the_pages_without_attributes_and_without_marks(made):
    for one in made["real"][:30] + made["small"][:30]:
        assert pages.without_attributes(one["raw_html"]) == one["context"]
        assert not pages.MARK.search(one["raw_html"]) and "<script" not in one["context"]
        assert set(re.findall(r"<\w+ ([^<>]*)>", one["context"])) <= {f'colspan="{number}"' for number in range(2, 7)}
    everything = "".join(one["context"] for one in made["real"])
    assert all(entity in everything for entity in ("&amp;", "&lt;", "&gt;", "&quot;", "\xa0", "<sup><a>[1]</a></sup>"))


def test_a_document_depends_on_nothing_but_its_arguments(made):
    assert pages.document(7, 0, "small") == made["small"][7]
    assert pages.document(3, 0, "real") == made["real"][3]
    assert pages.document(7, 1, "small")["context"] != made["small"][7]["context"]


def test_a_small_page_tells_ten_relations_once_and_names_are_not_seen_again(made):
    for one in made["small"][:40]:
        text = pages.TAG.sub("", one["context"])
        assert 500 < len(text) < 2000
        assert any(sum(word.name in text for word in words) >= 10 for words in pages.RELATIONS.values())
    titles = [one["title"] for one in made["small"]]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("name", "real", "off"),
    [
        ("long", 17.8, 5),
        ("with tags", 44.3, 7),
        ("within 30 tokens", 80, 6),
        ("within 512 tokens", 97.6, 2.4),
        ("questions a page", 2.17, 0.25),
        ("characters that are tags", 65.5, 3.5),
        ("raw/context", 4.5, 0.5),
        ("tokens, mean", 6_489, 1000),
        ("tokens, 90th", 12_314, 3000),
    ],
)
def test_shares_are_those_of_the_real_files(shares, name, real, off):
    assert shares["real"][name] == pytest.approx(real, abs=off)


def test_kinds_are_asked_as_often_as_they_are_told_to_be(shares):
    for kind, share in pages.SCALES["small"].kinds.items():
        assert shares["small"][kind] == pytest.approx(share, abs=6)
    for place, share in (("prose", 67.4), ("table", 22.0), ("list", 10.5)):
        assert shares["real"][place] + shares["real"][f"long {place}"] == pytest.approx(share, abs=7)


def test_one_page_of_ten_thousand_is_the_longest(monkeypatch):
    monkeypatch.setattr(pages, "LONGEST", 60_000)  # 253,818 would take a second
    tokens = len(pages.document(5_000, 0, "real")["context"]) / pages.CHARACTERS_A_TOKEN
    assert tokens == pytest.approx(60_000, rel=0.03)


@pytest.mark.parametrize(
    ("word", "particle", "read"),
    [("화가", "은", "화가는"), ("시인", "은", "시인은"), ("시인", "으로", "시인으로"), ("서울", "으로", "서울로"),
     ("2013", "이", "2013이"), ("2012", "이", "2012가"), ("<다라>", "을", "<다라>를"), ("<가문>", "을", "<가문>을")],
)  # fmt: skip
def test_particles_fit_what_is_read(word, particle, read):
    assert format(pages.plain(word), particle) == read


def test_files_are_read_as_korquad_2(tmp_path):
    tally = pages.write_pages(tmp_path, 25, 3, "small", first=20, per_file=10)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        f"korquad2.1_{number:02d}.json" for number in (2, 3, 4)
    ]
    content = json.loads((tmp_path / "korquad2.1_02.json").read_text(encoding="utf-8"))
    assert content == {
        "version": "KorQuAD_v2.1",
        "data": [pages.document(number, 3, "small") for number in range(20, 30)],
    }
    examples = read_korquad2(tmp_path)
    assert len(examples) == sum(tally.kinds.values()) == len({one.id for one in examples})
    assert all(one.context[(gold := one.answers[0]).start :].startswith(gold.text) for one in examples)


def test_the_command_writes_and_tells_the_shares(tmp_path, capsys):
    assert pages.run(pages.Arguments(tmp_path / "new", documents=3, size="small", seed=1)) == 0
    printed = capsys.readouterr().out
    assert "characters that are tags" in printed and "3 documents in" in printed
