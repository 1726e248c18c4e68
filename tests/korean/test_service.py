"""The analyser that is reached over HTTP, against a service on this machine that answers well, late, wrong or never."""

from __future__ import annotations

import errno
import gc
import json
import logging
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dokhae.errors import AnalyserError, SettingsError
from dokhae.korean import service_asking
from dokhae.korean.analysis import Analysis
from dokhae.korean.kiwi import Kiwi
from dokhae.korean.morphemes import Morpheme
from dokhae.korean.service import Service
from dokhae.korean.service_answers import Trouble, read
from dokhae.korean.service_asking import CONNECTIONS
from dokhae.patience import Patience, asked_wait
from korean.stand_in import MECAB, OFFICIAL, Answer, StandIn, bare, newer, official, served
from waiting import wait_until

QUICK = Patience(tries=4, first_wait=0.01, longest_wait=2.0, connect=10.0, silence=10.0)
KEY = "0a1b2c3d-secret-4e5f"
TEXT = "나는 갔다. 학교에 🙂 왔다."


@pytest.fixture(autouse=True, scope="module")
def kiwi_is_loaded() -> None:
    """Which takes more than ten seconds on a busy machine, in the middle of the first answer."""
    Kiwi().analyse([TEXT])


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch) -> Iterator[None]:
    monkeypatch.delenv("ETRI_ACCESS_KEY", raising=False)
    before = set(threading.enumerate())
    yield
    wait_until(lambda: set(threading.enumerate()) <= before)
    gc.collect(1)  # a socket that nobody closed warns here, and warnings are errors


@pytest.fixture(scope="module")
def well() -> Iterator[StandIn]:
    with served() as stand_in:
        yield stand_in


def analyse(stand_in: StandIn, *texts: str, path: str = MECAB, patience: Patience = QUICK) -> list[list[Morpheme]]:
    return Service(stand_in.url + path, patience).analyse(texts)


def refusal(stand_in: StandIn, *texts: str, path: str = MECAB, patience: Patience = QUICK) -> str:
    """What it says, without the address."""
    with pytest.raises(AnalyserError) as refused:
        analyse(stand_in, *(texts or [TEXT]), path=path, patience=patience)
    said = str(refused.value)
    assert said.startswith(f"{stand_in.url}{path}: ")
    assert "\n" not in said
    return said.removeprefix(f"{stand_in.url}{path}: ")


# What is asked, and the three forms of the answer


@pytest.mark.parametrize("path", [OFFICIAL, MECAB])
@pytest.mark.parametrize("nested", [official, bare, newer])
def test_the_answer_is_told_by_its_shape_whatever_was_asked(path, nested):
    with served(always=Answer(nested=nested)) as stand_in:
        assert analyse(stand_in, TEXT, path=path) == [[
            Morpheme("나", "NP", 0, 1), Morpheme("는", "JX", 1, 2),
            Morpheme("가", "VV", 3, 4), Morpheme("었", "EP", 3, 4), Morpheme("다", "EF", 4, 5),
            Morpheme(".", "SF", 5, 6),
            Morpheme("학교", "NNG", 7, 9), Morpheme("에", "JKB", 9, 10),
            Morpheme("🙂", "SW", 11, 12),
            Morpheme("오", "VX", 13, 14), Morpheme("었", "EP", 13, 14), Morpheme("다", "EF", 14, 15),
            Morpheme(".", "SF", 15, 16),
        ]]  # fmt: skip


def test_the_official_form_of_a_request_carries_the_key_twice(monkeypatch):
    monkeypatch.setenv("ETRI_ACCESS_KEY", f" {KEY}\n")
    with served(key=KEY) as stand_in:
        assert len(analyse(stand_in, "가 & 나=다\n", path=OFFICIAL)[0]) > 2
        [(path, kind, body)] = stand_in.requests
        assert stand_in.authorizations == [KEY]
    assert (path, kind) == ("/WiseNLU", "application/json")
    assert json.loads(body) == {
        "access_key": KEY,
        "argument": {"analysis_code": "morp", "text": "가 & 나=다\n"},
    }


def test_the_official_form_without_a_key(well):
    analyse(well, "가", path=OFFICIAL)
    assert json.loads(well.requests[-1][2]) == {"argument": {"analysis_code": "morp", "text": "가"}}
    assert well.authorizations[-1] is None


def test_a_mecab_service_is_sent_a_field_and_no_key(well, monkeypatch):
    monkeypatch.setenv("ETRI_ACCESS_KEY", KEY)
    analyse(well, "가 & 나=다\n+🙂")
    path, kind, body = well.requests[-1]
    assert (path, kind) == ("/api/morpheme/etri", "application/x-www-form-urlencoded")
    assert parse_qs(body) == {"targetText": ["가 & 나=다\n+🙂"]}
    assert well.authorizations[-1] is None


def test_white_space_is_not_asked_about():
    with served() as stand_in:
        assert analyse(stand_in, "", " \n\t\u3000") == [[], []]
        assert analyse(stand_in) == []
        assert analyse(stand_in, "", "학교", " ") == [[], [Morpheme("학교", "NNG", 0, 2)], []]
        assert stand_in.texts == ["학교"]


def test_the_address_is_all_of_the_identity_but_not_what_is_secret_in_it(well):
    assert Service("http://127.0.0.1:8080/WiseNLU").identity == "service http://127.0.0.1:8080/WiseNLU"
    service = Service(f"{well.url}{MECAB}?key={KEY}#{KEY}", QUICK)
    assert service.identity.startswith(f"service {well.url}{MECAB} ") and KEY not in service.identity
    assert service.identity != Service(f"{well.url}{MECAB}?key=other", QUICK).identity  # it may answer otherwise
    service.analyse(["가"])
    assert well.requests[-1][0] == f"{MECAB}?key={KEY}"


def test_an_address_with_a_password_is_refused_for_it_is_saved_with_the_model():
    with pytest.raises(SettingsError, match="has a name or password") as refused:
        Service("http://me:secret@127.0.0.1/api/morpheme/etri")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["localhost:8080/a", "http:///a", "ftp://host/a", "http://host:port/", "", "http://a\n"]
)
def test_what_is_no_address(url):
    with pytest.raises(SettingsError, match="analyser"):
        Service(url)


@pytest.mark.parametrize("key", ["열쇠", "a b", "a\nb", "a'b"])
def test_what_is_no_key_is_not_shown(well, monkeypatch, key):
    monkeypatch.setenv("ETRI_ACCESS_KEY", key)
    with pytest.raises(SettingsError) as refused:
        analyse(well, "가", path=OFFICIAL)
    assert str(refused.value) == (
        "the environment variable ETRI_ACCESS_KEY holds what is no access key; copy it once more"
    )


# Where morphemes stand


def said(*morphemes: tuple[str, str, object], text: str) -> bytes:
    """An answer of one sentence."""
    return json.dumps([
        {"text": text, "morp": [{"lemma": lemma, "type": tag, "position": at} for lemma, tag, at in morphemes]}
    ]).encode()  # fmt: skip


def spans(text: str, *morphemes: tuple[str, str, object]) -> list[tuple[str, str, int, int]]:
    return [tuple(one) for one in read(said(*morphemes, text=text), text)]


def test_bytes_become_characters():
    answered = [("a", "SL", 0), ("é", "SL", 2), ("漢", "SH", 4), ("😀", "SW", 7)]
    found = spans("a é漢😀가 \u0378나", *answered, ("가", "NNG", 11), ("\u0378", "SW", 15), ("나", "NNG", 17))
    assert [(start, end) for *_, start, end in found] == [(0, 1), (2, 3), (3, 4), (4, 5), (5, 6), (7, 8), (8, 9)]


def test_a_contraction_shares_its_characters():
    assert spans("갔다 와", ("가", "VV", 0), ("았", "EP", 0), ("다", "EF", 3), ("오", "VV", 7), ("아", "EC", 7)) == [
        ("가", "VV", 0, 1), ("았", "EP", 0, 1), ("다", "EF", 1, 2), ("오", "VV", 3, 4), ("아", "EC", 3, 4),
    ]  # fmt: skip


def test_an_end_does_not_step_back_where_a_lemma_ends_before_its_contraction():
    assert spans("하아요", ("해", "VV", 0), ("하", "XSV", 0), ("요", "EF", 6)) == [
        ("해", "VV", 0, 2), ("하", "XSV", 0, 2), ("요", "EF", 2, 3),
    ]  # fmt: skip


def test_an_irregular_form_goes_up_to_the_next_one_or_to_the_end_of_its_sentence():
    body = json.dumps([
        {"text": "그건  뭐", "morp": [{"lemma": "그것", "type": "NP", "position": 0},
                                    {"lemma": "무엇", "type": "NP", "position": 8}]},
        {"text": "ㅋㅋ", "morp": []},
    ]).encode()  # fmt: skip
    assert read(body, "그건  뭐 ㅋㅋ") == [Morpheme("그것", "NP", 0, 2), Morpheme("무엇", "NP", 4, 5)]


def test_an_elided_morpheme_is_empty():
    answered = [("학생", "NNG", 0), ("이", "VCP", 6), ("이", "VCP", 7), ("다", "EF", 10), ("어", "EF", 13)]
    assert spans("학생 이다", *answered) == [
        ("학생", "NNG", 0, 2), ("이", "VCP", 3, 4), ("이", "VCP", 3, 4), ("다", "EF", 4, 5), ("어", "EF", 5, 5),
    ]  # fmt: skip


def test_a_morpheme_does_not_leave_its_sentence():
    of_first = [{"lemma": "가", "type": "VV", "position": 0}, {"lemma": "아", "type": "EF", "position": 3}]
    first = {"text": "가 ", "morp": of_first}
    second = {"text": "나", "morp": [{"lemma": "나", "type": "NP", "position": 4}]}
    found = read(json.dumps([first, second]).encode(), "가 나")
    assert [(one.start, one.end) for one in found] == [(0, 1), (1, 1), (2, 3)]
    for wrong in ([first | {"morp": second["morp"]}, second], [first | {"morp": []}, second | {"morp": first["morp"]}]):
        with pytest.raises(Trouble, match="is outside of its sentence"):
            read(json.dumps(wrong).encode(), "가 나")


@pytest.mark.parametrize("three", [3, 3.0, "3", "3.0"])
def test_numbers_may_be_strings_or_have_a_fraction(three):
    assert spans("가나", ("가", "NNG", 0), ("나", "NNG", three))[1] == ("나", "NNG", 1, 2)


TAGS = {"SC": "SP", "SSO": "SS", "SSC": "SS", "NNBC": "NNB", "UN": "UNK", "UNKNOWN": "UNK", "VV+EP": "VV+EP"}


@pytest.mark.parametrize(("mecab", "sejong"), TAGS.items())
def test_tags_of_mecab_become_those_of_sejong(mecab, sejong):
    assert spans("가", ("가", mecab, 0)) == [("가", sejong, 0, 1)]


def test_other_symbols_are_told_apart_character_by_character():
    assert spans("-「%", ("-「%", "SY", 0)) == [("-", "SO", 0, 1), ("「", "SS", 1, 2), ("%", "SW", 2, 3)]
    assert spans("～", ("~", "SY", 0)) == [("~", "SO", 0, 1)]


@pytest.mark.parametrize(
    "sentence", ["나는 갔다. 또\n왔다.", " 나는  갔다.\t또 왔다. ", "나는갔다.또왔다.", "나는\u3000갔다. 또 왔다.\r\n"]
)
def test_white_space_may_differ(sentence):
    body = json.dumps([{"text": sentence, "morp": [{"lemma": "또", "type": "MAG", "position": 15}]}]).encode()
    assert read(body, "나는 갔다.\n또 왔다.") == [Morpheme("또", "MAG", 7, 8)]


letters = st.text("가갔했건뭐들었다는을 .?!a1-漢字🙂👍🏽é \n", max_size=30)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.lists(letters, max_size=8))
@example(["나는 🙂 갔다.\n漢字 abc 그건 뭐야? 했다"])
def test_starts_are_those_of_the_analyser_behind_the_service(well, texts):
    expected = [[(one.lemma, one.tag, one.start) for one in found] for found in Kiwi().analyse(texts)]
    for path in (MECAB, OFFICIAL):
        answers = analyse(well, *texts, path=path)
        assert [[(one.lemma, one.tag, one.start) for one in found] for found in answers] == expected
        for text, found in zip(texts, answers, strict=True):
            ends = [one.end for one in found]
            assert ends == sorted(ends)
            assert not any(text[one.start : one.end][-1:].isspace() for one in found)


# Answers that cannot be


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<html>", "its answer is no JSON: '<html>'"),
        (b"", "its answer is no JSON: ''"),
        (b"\xff\xfe[", "its answer is no JSON: '��['"),
        (b"[" * 100_000, "its answer is no JSON: '" + "[" * 176 + "…"),
        (b"7", "its answer has another shape than ETRI's: 7 in place of a list"),
        (b'{"result": 0}', "its answer has another shape than ETRI's: None in place of a list"),
        (b'{"result": 0, "return_object": {}}', "its answer has another shape than ETRI's: None in place of a list"),
        (b"[7]", "its answer has another shape than ETRI's: there is no 'text' in 7"),
        (b'[{"text": 7}]', "its answer has another shape than ETRI's: 'text' is 7"),
        (b'[{"text": "\\uac00"}]', "its answer has another shape than ETRI's: there is no 'morp' in {'text': '가'}"),
        (b'{"result": -1, "reason": "too\\nlong"}', r"it answers result -1: 'too\nlong'"),
        (b'{"result": 1, "sentences": []}', "it answers result 1: 'no reason'"),
        (b"[]", "no sentence of its answer has '가'"),
        (said(("가", "NNG", 1), text="가"), "its answer has other offsets than bytes of the document (UTF-8): "
                                            "no character begins at 1"),
        (said(("가", "NNG", 99), text="가"), "its answer has other offsets than bytes of the document (UTF-8): "
                                             "no character begins at 99"),
        (said(("가", 7, 0), text="가"), "its answer has another shape than ETRI's: 'type' is 7"),
        (said(("\ud83d", "SW", 0), text="가"), r"its answer has another shape than ETRI's: 'lemma' is '\ud83d'"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused(content, what):
    with served(Answer(content=content)) as stand_in:
        told, advice = refusal(stand_in, "가").split(", asked about '가'; ")
        assert told == what
        assert advice in ("is it an analyser that answers in ETRI's form?", "try again later, or with another text")
        assert len(stand_in.texts) == 1


@pytest.mark.parametrize("position", [-1, -3, True, None, [], {}, "", "x", 0.5, "nan", 1e400, 10**400, "1" * 400],
                         ids=lambda value: repr(value)[:12])  # fmt: skip
def test_what_is_no_offset(position):
    with pytest.raises(Trouble, match="other offsets"):
        spans("가", ("가", "NNG", position))


NAMES = ["result", "return_object", "sentence", "sentences", "text", "morp", "lemma", "type", "position"]
values = st.recursive(
    st.sampled_from([None, True, 0, -1, 3, 0.5, "", "0", "가", "가나", "NNG", "\ud800"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inside),
    max_leaves=20,
)


@settings(deadline=None, derandomize=True)
@given(values, st.sampled_from(["가", "가나"]))
def test_whatever_is_answered_is_read_or_refused(value, text):
    try:
        found = read(json.dumps(value).encode(), text)
    except Trouble:
        return
    assert all(0 <= one.start <= one.end <= len(text) for one in found)


def test_the_message_names_the_beginning_of_the_text():
    with served(Answer(content=b"")) as stand_in:
        assert refusal(stand_in, "가나\n" * 50) == (
            "its answer is no JSON: '', asked about '" + r"가나\n" * 20 + "'; "
            "is it an analyser that answers in ETRI's form?"
        )


def characters(found):
    """Offsets as a service gives them that counts characters."""
    document = "".join(one["text"] for one in found).encode()
    for sentence in found:
        for one in sentence["morp"]:
            one["position"] = len(document[: one["position"]].decode())
    return found


def of_each_sentence(found):
    for sentence in found:
        first = sentence["morp"][0]["position"]
        for one in sentence["morp"]:
            one["position"] -= first
    return found


def stepping_back(found):
    first, second = found[0]["morp"][:2]
    first["position"], second["position"] = second["position"], first["position"]
    return found


def with_other_letters(found):
    return [found[0], found[1] | {"text": " 학교애 🙂 왔다."}]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (characters, "its answer has other offsets than bytes of the document (UTF-8): no character begins at 1"),
        (of_each_sentence, "its answer has other offsets than bytes of the document (UTF-8): "
                           "0 is outside of its sentence"),
        (stepping_back, "its answer has other offsets than bytes of the document (UTF-8): "
                        "0 is before the one in front of it"),
        (lambda found: found[1:], "no sentence of its answer has '나는갔다.'"),
        (lambda found: found[:1], "no sentence of its answer has '학교에🙂왔다.'"),
        (lambda found: found + found[:1], "it answers about other text: '나는 갔다.'"),
        (with_other_letters, "it answers about other text: ' 학교애 🙂 왔다.'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [MECAB, OFFICIAL])
def test_an_answer_about_something_else_is_refused(change, what, path):
    with served(Answer(change=change)) as stand_in:
        assert refusal(stand_in, path=path).startswith(f"{what}, asked about '나는 갔다. 학교에 🙂 왔다.'; ")


def test_half_a_character_is_not_sent(well):
    before = len(well.texts)
    assert refusal(well, "가", "나\ud83d") == (
        r"half a character (a surrogate) cannot be sent, asked about '나\ud83d'; take it out"
    )
    assert len(well.texts) == before


# Services in trouble


def test_a_service_that_recovers(caplog):
    with served(Answer(500), Answer(503)) as stand_in:
        assert len(analyse(stand_in, "가")[0]) == 1
        assert len(stand_in.texts) == 3
    told = [re.sub(r"in 0\.0 s", "in T s", message) for message in caplog.messages if "try" in message]
    assert told == [
        f"{stand_in.url}{MECAB}: it answers 500 Internal Server Error; again in T s (try 2 of 4)",
        f"{stand_in.url}{MECAB}: it answers 503 Service Unavailable; again in T s (try 3 of 4)",
    ]


def test_a_service_that_does_not_recover_is_given_up():
    begun = time.monotonic()
    with served(always=Answer(502)) as stand_in:
        told = refusal(stand_in, "가", patience=replace(QUICK, first_wait=0.1))
        assert len(stand_in.texts) == 4
    assert told == "it answers 502 Bad Gateway; given up after 4 tries, asked about '가'; try again later"
    assert time.monotonic() - begun >= 0.05 + 0.1 + 0.2  # doubled, and at least half of that


def test_a_service_that_asks_to_wait_is_obeyed():
    begun = time.monotonic()
    with served(Answer(429, {"Retry-After": "1"})) as stand_in:
        assert len(analyse(stand_in, "가")[0]) == 1
        assert len(stand_in.texts) == 2
    assert time.monotonic() - begun >= 1


def test_a_service_that_asks_to_wait_too_long_is_left_alone():
    with served(Answer(429, {"Retry-After": "3600"})) as stand_in:
        assert refusal(stand_in, "가") == (
            "it answers 429 Too Many Requests and asks to wait 3600 s, asked about '가'; try again later"
        )
        assert len(stand_in.texts) == 1


def test_what_a_service_asks_to_wait():
    soon = datetime.now(UTC) + timedelta(seconds=90)
    assert asked_wait("7") == 7.0
    assert 80 < asked_wait(format_datetime(soon, usegmt=True)) <= 90
    assert asked_wait("Mon, 02 Nov 2009 10:00:00 -0000") == 0.0
    assert [asked_wait(header) for header in (None, "later", "-1", "١", "")] == [None] * 5
    assert asked_wait("Mon, 01 Jan 99999999999999999999 00:00:00 GMT") is None
    assert asked_wait("Mon, 02 Nov 2009 10:00:00 +99999999999999") is None


@pytest.mark.parametrize("status", [400, 404, 405, 413, 204])
def test_a_refusal_is_not_asked_again(status):
    with served(Answer(status)) as stand_in:
        told = refusal(stand_in, "가")
        assert told.startswith(f"it answers {status} ")
        assert told.endswith(", asked about '가'; is the address right, and the service running?")
        assert len(stand_in.texts) == 1


@pytest.mark.parametrize("key", ["", "another-key"])
def test_a_key_that_is_missing_or_wrong_is_told(monkeypatch, caplog, key):
    monkeypatch.setenv("ETRI_ACCESS_KEY", key)
    caplog.set_level(logging.DEBUG)
    with served(key=KEY) as stand_in:
        assert refusal(stand_in, "가", path=OFFICIAL) == (
            "it answers 401 Unauthorized, asked about '가'; "
            "set the environment variable ETRI_ACCESS_KEY to a key that is valid there"
        )
    with served(Answer(403)) as stand_in:
        assert "ETRI_ACCESS_KEY" in refusal(stand_in, "가")
    assert "another-key" not in caplog.text


def test_the_key_is_never_told_even_where_the_service_says_it(monkeypatch, caplog):
    monkeypatch.setenv("ETRI_ACCESS_KEY", KEY)
    caplog.set_level(logging.INFO)
    said_it = {"result": -1, "reason": "no such key: " + KEY + " " * 150 + KEY}
    answers = [
        Answer(content=json.dumps(said_it).encode()),
        Answer(content=f"{'x' * 190}{KEY}".encode()),
        Answer(302, {"Location": f"/login?{KEY}"}),
        Answer(500, {"Retry-After": KEY}),
        Answer(headers={f"no name {KEY}": "x"}),
    ]
    with served(*answers) as stand_in:
        told = [refusal(stand_in, "가", path=OFFICIAL) for _ in range(3)]
        analyse(stand_in, "가", path=OFFICIAL)
        assert len(stand_in.texts) == 6
        assert KEY not in repr(Service(stand_in.url).__dict__)
    assert told[0].startswith("it answers result -1: 'no such key: *** ***', asked about '가'; ")
    assert "no name ***" in caplog.text
    assert KEY[:6] not in "".join(told) + caplog.text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_with_the_key(monkeypatch, status):
    monkeypatch.setenv("ETRI_ACCESS_KEY", KEY)
    with served() as other, served(Answer(status, {"Location": f"{other.url}/WiseNLU"})) as stand_in:
        told = refusal(stand_in, "가", path=OFFICIAL)
        assert f"it redirects to '{other.url}/WiseNLU', asked about '가'; give that address if it is" in told
        assert other.texts == []


def test_a_service_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(AnalyserError) as refused:
        Service(f"http://127.0.0.1:{port}{MECAB}", QUICK).analyse(["가"])
    assert str(refused.value) == (
        f"http://127.0.0.1:{port}{MECAB}: cannot be reached: [Errno {errno.ECONNREFUSED}] Connection refused, "
        "asked about '가'; is the address right, and the service running?"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue is another error")
def test_a_service_that_takes_no_connection():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # the queue of those that nobody accepts
            one.setblocking(False)
            one.connect_ex(address)
        with pytest.raises(AnalyserError, match=r"there is no connection after 0\.2 s, asked about '가'; is the addr"):
            Service(f"http://127.0.0.1:{address[1]}/", replace(QUICK, connect=0.2)).analyse(["가"])
        for one in waiting:
            one.close()


def test_a_service_that_is_too_slow():
    with served(Answer(seconds=10)) as stand_in:
        begun = time.monotonic()
        told = refusal(stand_in, "가", patience=replace(QUICK, silence=0.2))
        assert time.monotonic() - begun < 2
        assert told == "nothing came for 0.2 s, asked about '가'; try again later"
        assert len(stand_in.texts) == 1
        stand_in.released.set()


def test_a_slow_service_is_waited_for():
    with served(Answer(seconds=0.3)) as stand_in:
        assert len(analyse(stand_in, "가")[0]) == 1


@pytest.mark.parametrize("trouble", [Answer(silent=True), Answer(sent=20)])
def test_a_connection_that_is_lost_is_made_again(trouble):
    with served(trouble, trouble) as stand_in:
        assert len(analyse(stand_in, "가")[0]) == 1
        assert len(stand_in.texts) == 3
    with served(always=trouble) as stand_in:
        told = refusal(stand_in, "가")
        assert told.startswith("the connection was lost: ")
        assert told.endswith("; given up after 4 tries, asked about '가'; try again later")
        assert len(stand_in.texts) == 4


def test_an_endless_answer_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(service_asking, "LARGEST", 100_000)
    with served(Answer(content=b" " * 10_000, endless=True)) as stand_in:
        assert refusal(stand_in, "가").startswith("its answer has more than 100,000 bytes, asked about '가'; ")
        assert len(stand_in.texts) == 1


# Many texts, and long ones


def test_answers_are_in_order_over_few_connections():
    texts = [f"{number}번" for number in range(40)]
    with served(Answer(seconds=0.3), always=Answer(seconds=0.01)) as stand_in:  # the first one comes back last
        answers = analyse(stand_in, *texts)
        assert 2 <= stand_in.busiest <= CONNECTIONS
        assert 2 <= len(stand_in.connections) <= CONNECTIONS
    assert [found[0].lemma for found in answers] == [str(number) for number in range(40)]
    assert [found[1] for found in answers[:2]] == [Morpheme("번", "NNB", 1, 2)] * 2


def test_the_first_failure_ends_the_rest():
    with served(*[Answer()] * 10, always=Answer(404, seconds=0.05)) as stand_in:
        assert "404" in refusal(stand_in, *(f"{number}번" for number in range(200)))
        assert len(stand_in.texts) <= 10 + 2 * CONNECTIONS


def test_a_failure_wakes_those_that_wait_for_their_next_try():
    begun = time.monotonic()
    with served(Answer(429, {"Retry-After": "30"}), Answer(404, seconds=0.1)) as stand_in:
        assert "404" in refusal(stand_in, "가", "나", patience=replace(QUICK, longest_wait=60.0))
        assert len(stand_in.texts) == 2
    assert time.monotonic() - begun < 5


def test_a_long_text_is_sent_in_parts_and_put_together():
    sentence = "나는 🙂 학교에 갔다. "  # 13 characters
    starts = [("나", 0), ("는", 1), ("🙂", 3), ("학교", 5), ("에", 7), ("가", 9), ("었", 9), ("다", 10), (".", 11)]
    with served() as stand_in:
        [found] = Analysis(Service(stand_in.url + MECAB, QUICK)).analyse([sentence * 1600])
        assert sorted(map(len, stand_in.texts)) == [806, 9997, 9997]
    assert [(one.lemma, one.start) for one in found] == [
        (lemma, 13 * number + start) for number in range(1600) for lemma, start in starts
    ]
