"""The command line: one thin verb per file, its signature read by tyro; nothing heavy is imported before a verb.

A group of verbs is a package with a TITLE, VERBS and an EXAMPLE; this one is the outermost.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, TextIO, cast

from dokhae import __version__
from dokhae.errors import DokhaeError
from dokhae.progress import Forgiving, give_up
from dokhae.records import nearest
from dokhae.stopping import interrupted_by_signals

TITLE = f"dokhae {__version__} (독해): extractive question answering, Korean and English"
VERBS = {
    "train": "fine-tune an encoder and score it; also: go on with an interrupted run",
    "predict": "answer the questions of a data file",
    "evaluate": "score a predictions file as the official script does",
    "ask": "ask one question about a text",
    "ceiling": "the best score a tokenizer and its windows allow, before any training",
    "classify": "classes or numbers for texts and pairs: GLUE's tasks, and files of your own",
    "features": "hidden states of the tokens or lines of a text file: .jsonl, .parquet or .safetensors",
    "pack": "a trained reader as a zip for a leaderboard, which runs without dokhae and network",
    "rehearse": "try such a zip out as a leaderboard would: packages of its own, no network, official scores",
    "data": "download, audit and convert files of questions",
    "convert": "TensorFlow and old PyTorch checkpoints to Hugging Face folders; check them",
    "scratch": "make an untrained encoder from a vocabulary, for try-outs and baselines",
    "recipes": "published tables: a training for each row, and what your runs of it scored",
    "sweep": "train many times: a grid, or a search of any settings",
    "compat": "old command lines as they were: run_squad.py, run_qa.py, run_classifier.py and more",
    "demo": "the main road on packaged data: train, score, answer",
    "doctor": "what this machine and installation can do",
}
EXAMPLE = (
    "dokhae train --benchmark korquad-1.0 --model monologg/koelectra-base-v3-discriminator \\\n"
    "           --train KorQuAD_v1.0_train.json --dev KorQuAD_v1.0_dev.json --out runs/koelectra"
)
OF_GROUPS = "Every verb takes --config FILE.yaml with the same\nnames; options on the command line win over it"
NOTE = "Verbs, but compat and convert, take --config FILE.yaml\nwith the same names; options on the command line win"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0, 2 for a mistake that the user can mend, 130 after Ctrl-C, SIGTERM or SIGHUP."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    _open_what_is_closed()
    _speak_utf8()
    with contextlib.redirect_stderr(cast(TextIO, Forgiving(sys.stderr))):
        return _exit_code(args)


def _exit_code(args: list[str]) -> int:
    try:
        os.getcwd()
    except FileNotFoundError:  # torch's libraries look for one another from there, and say something else
        return _fail("the folder in which this was started is gone; go to another one", DokhaeError.exit_code)
    try:
        with interrupted_by_signals():  # a training has a handler of its own while it runs
            code = _run(args)
            sys.stdout.flush()
        return code
    except DokhaeError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except OSError as error:
        _give_up_stdout()
        if isinstance(error, BrokenPipeError):  # the reader of our output has left, `| head` for one
            return 0
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", DokhaeError.exit_code)


def usage(group: ModuleType) -> str:
    """The text of `dokhae --help`, or of a group's."""
    verbs = "".join(f"  {verb:<10}{what}\n" for verb, what in group.VERBS.items())
    words = _words(group)
    note = getattr(group, "NOTE", OF_GROUPS)
    return (
        f"{group.TITLE}\n\n"
        f"usage: {words} VERB [OPTIONS]\n\n{verbs}\n"
        f"`{words} VERB --help` explains a verb with an example. {note}.\n\n"
        f"example: {group.EXAMPLE}\n"
    )


def _run(args: list[str]) -> int:
    if args and args[0] in ("-V", "--version"):
        sys.stdout.write(f"dokhae {__version__}\n")
        return 0
    return _run_in(sys.modules[__name__], args)


def _run_in(group: ModuleType, args: list[str]) -> int:
    if not args or args[0] in ("-h", "--help", "help"):
        sys.stdout.write(usage(group))
        return 0
    verb, *rest = args
    if verb not in group.VERBS:
        of = "" if group.__name__ == __name__ else f" of {_words(group)}"
        return _fail(f"{verb!r} is not a verb{of}{nearest(verb, list(group.VERBS))}", DokhaeError.exit_code)
    module = import_module(f"{group.__name__}.{verb}")
    if hasattr(module, "raw"):
        return _run_raw(module, rest)
    return _run_in(module, rest) if hasattr(module, "VERBS") else _run_verb(module, rest)


def _run_raw(module: ModuleType, args: list[str]) -> int:
    """A verb whose words are not ours to read."""
    with _log_on_stderr():
        try:
            module.raw(args)
        except SystemExit as stop:
            return int(stop.code or 0)
    return 0


def _run_verb(module: ModuleType, args: list[str]) -> int:
    import tyro

    from dokhae.cli.configuration import with_config

    command: Callable[..., Any] = module.command(args)
    try:
        with _log_on_stderr():
            tyro.cli(
                command,
                prog=_words(module),
                args=with_config(args, command),
                use_underscores=True,
                config=(
                    tyro.conf.DisallowNone,
                    tyro.conf.FlagCreatePairsOff,
                    tyro.conf.PositionalMetavarFromFieldName,
                ),
            )
    except SystemExit as stop:  # tyro, after --help (0) or an option it does not know (2)
        return int(stop.code or 0)
    return 0


def _words(module: ModuleType) -> str:
    """What is typed to reach a verb or group: dokhae data audit."""
    return " ".join(["dokhae", *module.__name__.split(".")[2:]])


@contextlib.contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Dokhae's messages as plain lines while a verb runs; the logger is given back as it was."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("dokhae")
    before, level, log.handlers, log.propagate = (log.handlers, log.propagate), log.level, [handler], False
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.handlers, log.propagate = before
        log.setLevel(level)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"dokhae: {message}\n")
    return code


def _give_up_stdout() -> None:
    """Where stdout takes no more, throw its rest away, or Python complains once more at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        give_up(sys.stdout.fileno())


def _open_what_is_closed() -> None:
    """In place of standard streams that were closed (`2>&-`), have some that go nowhere.

    What is opened next would get the number of one of them, and take up what torch or a signal's handler says there.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def _speak_utf8() -> None:
    """Korean answers on a Windows console or under a plain C locale."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
