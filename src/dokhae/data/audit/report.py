"""What is in a data file and what is wrong with it, also where the readers would stop at the first fault."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dokhae.data.audit.checks import CHECKS, OVERLAP_CHECKS, WITHOUT_NULL, Content, read_content
from dokhae.data.audit.findings import Finding
from dokhae.data.audit.overlap import training_of
from dokhae.data.audit.texts import FORMS, Lengths, form_of, lengths_of
from dokhae.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is in a file."""

    titles: int  # different ones
    contexts: int  # different ones
    questions: int
    answerable: int
    unanswerable: int
    unlabelled: int  # the file says nothing about their answers
    unreadable: int
    answers: int
    answers_per_question: dict[int, int]  # number of answers -> number of answerable questions


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found. Lengths and Unicode forms are those of the contexts, questions and answers."""

    file: str
    against: str | None
    counts: Counts
    lengths: dict[str, Lengths | None]
    unicode_forms: dict[str, dict[str, int]]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> tuple[Finding, ...]:
        """What training would refuse."""
        return tuple(finding for finding in self.findings if finding.refused and finding.cases)


def audit_file(path: Path, against: Path | None = None, has_null: bool = True) -> Audit:
    """Look through a data file (also KorQuAD 2.x); `against` is the training file that it should share nothing with.

    `has_null`: whether questions may have no answer. DataError where there is no table of questions at all.
    """
    path = Path(path)
    if against is not None and os.path.realpath(against) == os.path.realpath(path):
        raise SettingsError(f"{against}: is the audited file itself; name the training file")
    content = read_content(path)
    entries = content.entries
    counts, texts = counts_of(content), texts_of(content)
    totals = {"questions": counts.questions, "answers": counts.answers, "contexts": counts.contexts}
    totals["texts"] = sum(map(len, texts.values()))
    checks = CHECKS if has_null else (*CHECKS, WITHOUT_NULL)
    found = [
        Finding(row.name, row.title, row.unit, totals[row.unit], row.refused, tuple(row.find(content)))
        for row in checks
    ]
    if against is not None:
        training = training_of([entry.example for entry in read_content(Path(against)).entries])
        found += [
            Finding(row.name, row.title, row.unit, totals[row.unit], False, tuple(row.find(entries, training)))
            for row in OVERLAP_CHECKS
        ]
    return Audit(
        file=str(path),
        against=None if against is None else str(against),
        counts=counts,
        lengths={name: lengths_of(each) for name, each in texts.items()},
        unicode_forms={name: forms_of(each) for name, each in texts.items()},
        findings=tuple(found),
    )


def counts_of(content: Content) -> Counts:
    """How much is in the file."""
    entries = content.entries
    examples = [entry.example for entry in entries]
    answered = Counter(len(example.answers) for example in examples if example.answers)
    unlabelled = sum(not entry.has_labels for entry in entries)
    return Counts(
        titles=len({example.title for example in examples} - {""}),
        contexts=len({example.context for example in examples}),
        questions=len(entries) + len(content.faults),
        answerable=answered.total(),
        unanswerable=len(entries) - answered.total() - unlabelled,
        unlabelled=unlabelled,
        unreadable=len(content.faults),
        answers=sum(number * count for number, count in answered.items()),
        answers_per_question=dict(sorted(answered.items())),
    )


def texts_of(content: Content) -> dict[str, list[str]]:
    """The contexts, each once, the questions and the answers of a file."""
    examples = [entry.example for entry in content.entries]
    return {
        "context": list(dict.fromkeys(example.context for example in examples)),
        "question": [example.question for example in examples],
        "answer": [answer.text for example in examples for answer in example.answers],
    }


def forms_of(texts: Iterable[str]) -> dict[str, int]:
    """How many texts are in which Unicode form."""
    found = Counter(map(form_of, texts))
    return {form: found[form] for form in FORMS}


def kinds_of(finding: Finding) -> dict[str, int]:
    """How many cases are of which kind, the most frequent first."""
    return dict(Counter(case.kind for case in finding.cases).most_common())


def as_mapping(audit: Audit) -> dict[str, Any]:
    """Everything that was found, as JSON holds it; the findings by name."""
    return {
        "file": audit.file,
        "against": audit.against,
        "training_refuses": [finding.name for finding in audit.refused],
        "counts": asdict(audit.counts),
        "lengths": {name: lengths and asdict(lengths) for name, lengths in audit.lengths.items()},
        "unicode_forms": audit.unicode_forms,
        "findings": {finding.name: _finding_mapping(finding) for finding in audit.findings},
    }


def _finding_mapping(finding: Finding) -> dict[str, Any]:
    count = len(finding.cases)
    return {
        "title": finding.title,
        "count": count,
        "of": finding.total,
        "unit": finding.unit,
        "share": count / finding.total if finding.total else 0.0,
        "training_refuses": finding.refused,
        "kinds": kinds_of(finding),
        "cases": [{"id": case.id, "where": case.where, "kind": case.kind, "found": case.found, **case.details}
                  for case in finding.cases],
    }  # fmt: skip
