"""The changes of a repair as a text that people read: one block a change, counts at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dokhae.data.audit.texts import form_of, visible
from dokhae.types import Answer

AROUND = 40  # characters of the context on each side


@dataclass(frozen=True, slots=True)
class Change:
    """One answer that was mended or left out, or one question that was left out."""

    id: str  # of the question; "" where it cannot be read
    field: str  # such as answers[0]; "" = the whole question
    kinds: tuple[str, ...]  # what was done; changes of one kind are counted together
    why: str
    where: str  # file and place
    before: Answer | None = None
    after: Answer | None = None
    context: str = ""


def diff_text(source: str, kept: int, changes: Sequence[Change]) -> str:
    """The whole text; `kept` is the number of questions of the mended file."""
    head = f"{source}, mended: {kept} questions; what was there (-), what is there now (+), 【where it stands】\n"
    blocks = [f"\n[{number}] {_block(change)}" for number, change in enumerate(changes, 1)]
    return head + "".join(blocks) + _counts(changes)


def kinds_of_changes(changes: Iterable[Change]) -> dict[str, int]:
    """How many changes were made of which kind."""
    return dict(Counter(kind for change in changes for kind in change.kinds).most_common())


def _block(change: Change) -> str:
    name = f"question {visible(change.id)}" if change.id else change.where
    lines = [f"{name}{change.field and f', {change.field}'}: {', '.join(change.kinds)}"]
    if change.before is not None:
        lines.append(f"- {_shown(change.before)}")
    if change.after is not None:
        lines.append(f"+ {_shown(change.after)}")
    lines.append(change.why)
    if change.after is not None:
        lines.append(_around(change.context, change.after))
    return "\n      ".join(line for line in lines if line) + "\n"


def _shown(answer: Answer) -> str:
    """The form and the length tell apart what looks the same."""
    return f"{answer.text!r} ({form_of(answer.text)}, {len(answer.text)} characters) at {answer.start}"


def _around(context: str, answer: Answer) -> str:
    first, last = max(0, answer.start - AROUND), min(len(context), answer.end + AROUND)
    before, after = context[first : answer.start], context[answer.end : last]
    dots = "…" if first else "", "…" if last < len(context) else ""
    return visible(f"{dots[0]}{before}【{answer.text}】{after}{dots[1]}")


def _counts(changes: Sequence[Change]) -> str:
    if not changes:
        return "\nnothing was to be mended\n"
    rows = "".join(f"{count:8}  {kind}\n" for kind, count in kinds_of_changes(changes).items())
    return f"\ncounts\n{rows}"
