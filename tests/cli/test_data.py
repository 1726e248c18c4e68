"""dokhae data: the group, and its download."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from data.archives import archive, archives_in, folder
from data.downloading import CONTENT, FILE, OTHER, etag, release
from data.local_files import Answer, served
from dokhae import benchmarks
from dokhae.cli.data import VERBS


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_help_of_the_group_names_its_verbs(dokhae, arguments):
    outcome = dokhae("data", *arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert "usage: dokhae data VERB [OPTIONS]" in outcome.out
    assert [verb for verb in VERBS if f"  {verb} " not in outcome.out] == []


def test_an_unknown_verb_of_the_group_names_the_nearest(refusal):
    assert refusal("data", "audti") == "'audti' is not a verb of dokhae data; did you mean audit?"
    assert refusal("data", "train").endswith("; known are download, audit, convert")
    assert refusal("dta") == "'dta' is not a verb; did you mean data?"
    assert refusal("audit").startswith("'audit' is not a verb; ")


def test_verbs_of_the_group_know_their_options(dokhae, refusal):
    assert refusal("data", "download", "squad-1.1", "--overwite") == (
        "--overwite is not an option; did you mean overwrite?"
    )
    assert "usage: dokhae data download [-h]" in dokhae("data", "download", "--help").out


@pytest.fixture
def mirror(monkeypatch):
    """A server with the two files of a data set that has a row of its own, `invented-1.0`."""
    monkeypatch.setenv("NO_PROXY", "*")
    both = release(replace(FILE, name="a train.json"), replace(FILE, name="dev.json"))
    row = replace(benchmarks.find("squad-1.1"), name="invented-1.0", release=both)
    monkeypatch.setattr(benchmarks, "BENCHMARKS", (*benchmarks.BENCHMARKS, row))
    with served(CONTENT) as files:
        yield files


def test_download_prints_the_paths_and_says_what_comes_next(dokhae, mirror, tmp_path):
    out = tmp_path / "out"
    train, dev = out / "a train.json", out / "dev.json"
    outcome = dokhae("data", "download", "invented-1.0", "INVENTED-1.0", "--out", out, "--source", mirror.url)
    assert (outcome.code, outcome.out) == (0, f"{train}\n{dev}\n")
    assert mirror.paths == ["/a%20train.json", "/dev.json"]
    assert outcome.err.splitlines() == [
        "Invented: CC0 (https://invented.example/): do what you like",
        f"{train}: 0.3 MB, as published",
        f"{dev}: 0.3 MB, as published",
        f"next: dokhae data audit {dev} --against {shlex.quote(str(train))}",
    ]
    assert train.read_bytes() == dev.read_bytes() == CONTENT

    again = dokhae("data", "download", "invented-1.0", "--out", out, "--source", mirror.url)
    assert (again.code, again.out) == (0, outcome.out)
    assert again.err.count(": already there, intact\n") == 2
    assert len(mirror.asked) == 2


def test_download_takes_a_configuration(dokhae, mirror, write, tmp_path):
    path = write("settings.yaml", f"source: {mirror.url}\nout: {tmp_path / 'there'}\n")
    assert dokhae("data", "download", "invented-1.0", "--config", path).code == 0
    assert (tmp_path / "there" / "dev.json").read_bytes() == CONTENT


def test_download_refuses_another_file_until_it_may_overwrite(dokhae, mirror, tmp_path):
    (tmp_path / "dev.json").write_bytes(OTHER)
    command = ("data", "download", "invented-1.0", "--out", tmp_path, "--source", mirror.url)
    outcome = dokhae(*command)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith(f"dokhae: {tmp_path / 'dev.json'}: is not the file that was publish")
    assert (tmp_path / "dev.json").read_bytes() == OTHER
    assert dokhae(*command, "--overwrite").code == 0
    assert (tmp_path / "dev.json").read_bytes() == CONTENT


def test_download_goes_on_after_a_failure(dokhae, mirror, tmp_path):
    mirror.answers = [Answer(sent=100_000), Answer(404)]
    command = ("data", "download", "invented-1.0", "--out", tmp_path, "--source", mirror.url)
    outcome = dokhae(*command)
    assert (outcome.code, outcome.out) == (2, "")
    assert "again in " in outcome.err.splitlines()[1]
    assert outcome.err.splitlines()[-1].endswith("train.json.part, and the same command goes on from there")
    assert dokhae(*command).code == 0
    assert mirror.asked[2] == ("bytes=100000-", etag(mirror))


@pytest.fixture
def in_archives(monkeypatch, tmp_path):
    """The folder with the archives of a data set that has a row of its own, `invented-2.0`."""
    train = (archive("train_00.zip", "a.json", "b.json"), archive("train_01.zip", "c.json"))
    dev = archive("dev_00.zip", "d.json")
    both = release(folder(*train, name="two/train"), folder(dev, name="two/dev"))
    row = replace(benchmarks.find("korquad-2.1"), name="invented-2.0", release=both)
    monkeypatch.setattr(benchmarks, "BENCHMARKS", (*benchmarks.BENCHMARKS, row))
    return archives_in(tmp_path / "archives", *train, dev)


def test_download_unpacks_archives_and_prints_the_folders(dokhae, in_archives, tmp_path):
    train, dev = tmp_path / "out" / "two" / "train", tmp_path / "out" / "two" / "dev"
    command = ("data", "download", "invented-2.0", "--out", tmp_path / "out", "--source", in_archives)
    outcome = dokhae(*command, "--parallel", "2")
    assert (outcome.code, outcome.out) == (0, f"{train}\n{dev}\n")
    assert [line for line in outcome.err.splitlines() if str(train) in line] == [
        f"{train}: 3 files, 0.3 MB, as published",
        f"next: dokhae data audit {dev / 'd.json'} --against {train / 'a.json'}",
    ]
    assert sorted(path.name for path in (tmp_path / "out" / "two").iterdir()) == ["dev", "train"]

    again = dokhae(*command)
    assert (again.code, again.out) == (0, outcome.out)
    assert again.err.count(": already there, intact\n") == 2


def test_download_wants_at_least_one_archive_at_once(refusal, in_archives, tmp_path):
    command = ("data", "download", "invented-2.0", "--out", tmp_path / "out", "--source", in_archives)
    assert refusal(*command, "--parallel", "0") == "parallel is 0; it has to be at least 1"
    assert not (tmp_path / "out").exists()


def test_download_says_what_it_cannot_fetch_yet(refusal, monkeypatch, tmp_path):
    row = replace(benchmarks.find("squad-1.1"), name="invented-1.0", release=release())
    monkeypatch.setattr(benchmarks, "BENCHMARKS", (*benchmarks.BENCHMARKS, row))
    message = refusal("data", "download", "squad-1.1", "invented-1.0", "--out", tmp_path / "out")
    assert message == "Invented cannot be downloaded by dokhae yet; get it from https://invented.example/"
    assert list(tmp_path.iterdir()) == []


def test_download_needs_a_name_that_it_knows(refusal):
    assert refusal("data", "download").startswith("name a data set: dokhae data download NAME; known are squad-1.1, ")
    assert refusal("data", "download", "sqad-1.1").startswith(
        "benchmark 'sqad-1.1' is not known; did you mean squad-1.1?"
    )


def test_download_takes_a_folder(refusal, tmp_path):
    source = tmp_path / "mirror"
    source.mkdir()
    command = ("data", "download", "korquad-1.0", "--out", tmp_path / "out", "--source")
    assert refusal(*command, tmp_path / "none") == (
        f"source '{tmp_path / 'none'}' is neither an http(s) address nor a folder"
    )
