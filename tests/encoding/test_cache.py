from __future__ import annotations

import errno
import multiprocessing
import zlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from dokhae.encoding import Features, PairTokenizer, WindowConfig, build_features, cache, cached_features, stored
from dokhae.encoding.cache import cache_folder, cache_key
from dokhae.types import Answer, Example
from encoding.building import CONTEXT, EXAMPLES, build, build_for_ever
from tokenizers_on_the_spot import pair_tokenizer, train_tokenizer

EXAMPLE = Example("q1", "Where?", CONTEXT, (Answer("Korustead", CONTEXT.index("Korustead")),))


@pytest.fixture
def built(tmp_path):
    """The features of one example, and the file where they are kept."""
    features = cached_features([EXAMPLE], pair_tokenizer("bert"), WindowConfig(), tmp_path)
    (file,) = tmp_path.iterdir()
    return features, file


def same(first, second):
    return all(np.array_equal(getattr(first, field.name), getattr(second, field.name)) for field in fields(Features))


def again(folder):
    """The features from the cache, and how many contexts were tokenized for it."""
    done = []
    features = cached_features([EXAMPLE], pair_tokenizer("bert"), WindowConfig(), folder, done.append)
    return features, len(done)


def test_the_second_time_nothing_is_tokenized(built):
    features, file = built
    found, tokenized = again(file.parent)
    assert same(found, features) and tokenized == 0
    assert same(found, build_features([EXAMPLE], pair_tokenizer("bert"), WindowConfig()))
    types = {field.name: np.asarray(getattr(found, field.name)).dtype for field in fields(Features)}
    assert types == {field.name: np.asarray(getattr(features, field.name)).dtype for field in fields(Features)}


@pytest.mark.parametrize(
    "other",
    [
        [replace(EXAMPLE, id="q2")],
        [replace(EXAMPLE, question="Where")],
        [replace(EXAMPLE, context=CONTEXT + " ")],
        [replace(EXAMPLE, answers=(Answer("Korus", EXAMPLE.answers[0].start),))],
        [replace(EXAMPLE, answers=())],
        [EXAMPLE, EXAMPLE],
        [],
    ],
)
def test_the_key_changes_with_the_data(other):
    tokenizer = pair_tokenizer("bert")
    assert cache_key(other, tokenizer, WindowConfig()) != cache_key([EXAMPLE], tokenizer, WindowConfig())


def test_the_key_changes_with_the_tokenizer_and_what_the_model_takes():
    fewer = PairTokenizer.of(train_tokenizer("bert"), ["input_ids"])
    left = train_tokenizer("bert")
    left.padding_side = "left"
    tokenizers = [
        pair_tokenizer("bert"),
        pair_tokenizer("bert-nfc"),
        pair_tokenizer("roberta"),
        fewer,
        PairTokenizer.of(left),
    ]
    assert len({cache_key([EXAMPLE], one, WindowConfig()) for one in tokenizers}) == 5
    assert cache_key([EXAMPLE], PairTokenizer.of(train_tokenizer("bert")), WindowConfig()) == cache_key(
        [EXAMPLE], pair_tokenizer("bert"), WindowConfig()
    )


def test_padding_and_truncation_of_the_given_tokenizer_change_neither_key_nor_features():
    fast = train_tokenizer("bert")
    fast([CONTEXT, "a"], padding=True, truncation=True, max_length=4)  # leaves its settings in the tokenizer
    tokenizer = PairTokenizer.of(fast)
    assert tokenizer.identity == pair_tokenizer("bert").identity
    assert same(*(build_features([EXAMPLE], one, WindowConfig()) for one in (tokenizer, pair_tokenizer("bert"))))


def test_the_key_changes_with_every_setting():
    settings = [{}, {"max_length": 383}, {"step": 128}, {"step": 64}, {"overlap": 64}, {"max_question_length": 63}]
    keys = {cache_key([EXAMPLE], pair_tokenizer("bert"), WindowConfig(**one)) for one in settings}
    assert len(keys) == len(settings)


def test_a_damaged_file_is_built_again(built):
    features, file = built
    whole = file.read_bytes()
    random = np.random.default_rng(0)
    damaged = [b"", bytes(8), bytes(64), *(whole[:length] for length in range(1, len(whole), 211))]
    for _ in range(200):
        content = bytearray(whole)
        for position in random.integers(len(whole), size=20):
            content[position] ^= 1 << int(random.integers(8))
        damaged.append(bytes(content))
    long, named = b'{"arrays": [["a", "<i8", 1e400]]}', b'{"arrays": [], "max_length": "4"}'
    deep = b"[" * 100_000
    for header in (b"{}", b"[]", b'{"arrays": 1}', b"1", b"\xff", long, named, deep):  # of who knows whom, and whole
        rest = len(header).to_bytes(8, "little") + header
        damaged.append(zlib.crc32(rest).to_bytes(8, "little") + rest)
    for content in damaged:
        file.unlink()  # not written over: `features` are views of it
        file.write_bytes(content)
        assert same(again(file.parent)[0], features)
    assert again(file.parent)[1] == 0


def test_a_file_with_other_arrays_is_built_again(built, monkeypatch):
    features, file = built
    monkeypatch.setattr(stored, "ARRAYS", stored.ARRAYS[1:])
    stored.save(file.with_name("fewer"), [features])
    monkeypatch.undo()
    file.with_name("fewer").replace(file)
    found, tokenized = again(file.parent)
    assert same(found, features) and tokenized == 1


def test_a_folder_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "file").write_text("")
    features, tokenized = again(tmp_path / "file" / "inside")
    assert tokenized == 1
    assert same(features, build_features([EXAMPLE], pair_tokenizer("bert"), WindowConfig()))


def test_a_folder_in_the_place_of_the_file_costs_time_only(tmp_path):
    key = cache_key([EXAMPLE], pair_tokenizer("bert"), WindowConfig())
    (tmp_path / f"{key}.features").mkdir()
    assert again(tmp_path)[1] == 1


@pytest.fixture
def pool():
    """Three processes that begin anew and import nothing heavy."""
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as made:
        yield made


def test_of_processes_that_ask_at_once_one_builds_and_the_others_read(tmp_path, pool):
    tokenizer = pair_tokenizer("bert")
    saved = train_tokenizer("bert").backend_tokenizer.to_str()
    with multiprocessing.get_context("spawn").Manager() as manager:
        barrier = manager.Barrier(3)
        futures = [pool.submit(build, saved, tokenizer.layout, tmp_path, barrier) for _ in range(3)]
        found = [future.result(timeout=120) for future in futures]
    assert sorted(contexts for _, contexts in found) == [0, 0, len(EXAMPLES)]
    assert found[0][0] == found[1][0] == found[2][0]
    assert [path.name for path in tmp_path.iterdir()] == [f"{cache_key(EXAMPLES, tokenizer, WindowConfig())}.features"]
    done = []
    features = cached_features(EXAMPLES, tokenizer, WindowConfig(), tmp_path, done.append)
    assert done == [] and features.context_ids.tolist() == found[0][0]


def test_a_killed_builder_holds_nobody_back(tmp_path):
    tokenizer = pair_tokenizer("bert")
    saved = train_tokenizer("bert").backend_tokenizer.to_str()
    context = multiprocessing.get_context("spawn")
    building = context.Event()
    builder = context.Process(target=build_for_ever, args=(saved, tokenizer.layout, tmp_path, building))
    builder.start()
    assert building.wait(60)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(cached_features, EXAMPLES, tokenizer, WindowConfig(), tmp_path)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        builder.kill()
        assert same(waiting.result(timeout=60), build_features(EXAMPLES, tokenizer, WindowConfig()))
    builder.join()


def test_a_builder_that_hangs_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LONGEST_WAIT", 0.2)
    key = cache_key([EXAMPLE], pair_tokenizer("bert"), WindowConfig())
    with FileLock(tmp_path / f"{key}.lock"):
        assert again(tmp_path)[1] == 1
    assert again(tmp_path)[1] == 0


def test_a_file_system_without_locks_costs_time_only(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    assert again(tmp_path)[1] == 1
    assert again(tmp_path)[1] == 0


def test_the_arrays_are_views_of_the_file_that_nobody_can_change(built):
    found, _ = again(built[1].parent)
    for features in (built[0], found):
        arrays = [getattr(features, name) for name in stored.ARRAYS]
        assert {type(array) for array in arrays} == {np.ndarray}
        assert not any(array.flags.writeable or array.flags.owndata for array in arrays)


def test_what_is_read_stays_when_the_file_goes(built):
    found, _ = again(built[1].parent)
    built[1].unlink()
    assert same(found, build_features([EXAMPLE], pair_tokenizer("bert"), WindowConfig()))


def test_the_folder_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("DOKHAE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "features"
    monkeypatch.setenv("DOKHAE_CACHE", "")
    assert "dokhae" in Path(cache_folder()).parts
