"""dokhae compat."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dokhae.errors import SettingsError

if TYPE_CHECKING:
    from dokhae.compat.table import Flag, Script

HELP = {"-h", "--help"}
USAGE = """usage: dokhae compat SCRIPT [OPTIONS]       run an old command line as it was
       dokhae compat SCRIPT --help          its options, and what they are here
       dokhae compat scripts SOURCE FOLDER  files of the old names that do the same

Options are those of the old script. One that means nothing any more is accepted and said; an unknown one is refused.
Each of our own commands that a script stands for is shown before it runs. docs/coming-from.md has them all.

example: dokhae compat run_qa.py --model_type bert --model_name_or_path bert-base-uncased --data_name squad_v2.0 \\
           --do_train --do_eval --gpu_ids 0 --batch_size 16 --learning_rate 3e-5
"""


def raw(args: list[str]) -> None:
    """Run an old script; its options are not ours to read."""
    from dokhae.compat import catalogue
    from dokhae.compat.reading import read

    if not args or args[0] in HELP or (args[0] == "scripts" and not HELP.isdisjoint(args)):
        sys.stdout.write(f"{USAGE}\n{listing()}")
    elif args[0] == "scripts":
        write_scripts(args[1:])
    else:
        script = catalogue.find(args[0], args[1:])
        if "--help" in args[1:] or args[1:2] == ["-h"]:
            sys.stdout.write(explained(script))
        else:
            script.run(read(script, args[1:]))


def write_scripts(args: list[str]) -> None:
    """`dokhae compat scripts SOURCE FOLDER`; prints the paths."""
    from dokhae.compat import catalogue

    if len(args) != 2:
        known = ", ".join(catalogue.SOURCES)
        raise SettingsError(f"compat scripts takes a predecessor ({known}) and a folder for its files")
    paths = catalogue.write(args[0], Path(args[1]), sys.executable)
    sys.stdout.write("".join(f"{path}\n" for path in paths))


def listing() -> str:
    """Every script with what it does."""
    from dokhae.compat import catalogue

    scripts = catalogue.scripts()
    width = max((len(script.name) for script in scripts), default=0)
    return "".join(f"  {script.name:<{width}}  {script.what}\n" for script in scripts)


def explained(script: Script) -> str:
    """The table of a script."""
    lines = [f"{script.name}: {script.what}\n\n"]
    width = max((len(flag.name) for flag in script.flags), default=0)
    lines += [f"  {flag.name:<{width}}  {meaning(flag)}\n" for flag in script.flags]
    return "".join(lines)


def meaning(flag: Flag) -> str:
    """What an old option is here, in words."""
    here = flag.gone or flag.note or f"--{flag.to}"
    default = "" if flag.default in (None, False, "") else f" (default there: {flag.default})"
    return f"{here}{default}"
