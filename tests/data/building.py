"""Small data files with one fault or another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

CONTEXT = "서울은 대한민국의 수도이다. Ann sang in Ulm."
ANN, SEOUL = {"text": "Ann", "answer_start": 16}, {"text": "서울", "answer_start": 0}


def question(id: Any = "q1", text: Any = "Who sang?", answers: Any = (ANN,), **others: Any) -> dict[str, Any]:
    """A question in SQuAD form; answers None leaves the field out."""
    fields = {"id": id, "question": text, "answers": list(answers) if isinstance(answers, tuple) else answers}
    return {name: value for name, value in (fields | others).items() if value is not None}


def squad(*questions: Any, context: str = CONTEXT, title: str = "t", **others: Any) -> dict[str, Any]:
    """A SQuAD file of one paragraph."""
    paragraph = {"context": context, "qas": list(questions)}
    return {"version": "1.1", "data": [{"title": title, "paragraphs": [paragraph]}], **others}


def write(path: Path, content: Any) -> Path:
    """The content as JSON, half characters escaped."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


TEXTS = [
    "Ann",
    " Ann",
    "Ann ",
    "ann",
    "서울",
    "\u1109\u1165\u110b\u116e\u11af",
    "Bob",
    "",
    " ",
    "in Ulm",
    "in\nUlm",
    "\ud800",
]
faulty_answers = st.fixed_dictionaries(
    {"text": st.sampled_from(TEXTS), "answer_start": st.sampled_from([0, 3, 15, 16, 17, 36, 99, -1, "16", None])}
)
faulty_questions = st.builds(
    question,
    st.sampled_from(["q1", "q2", "q3", 4, "", None, "q\udc00"]),
    st.sampled_from(["Who sang?", "Where?", "", None, 5]),
    st.none() | st.lists(faulty_answers | st.just(ANN), max_size=3) | st.just("Ann"),
    is_impossible=st.sampled_from([None, None, False, True]),
    note=st.sampled_from([None, "kept"]),
)
faulty_files = st.builds(
    squad,
    st.just(question("good", "Why?", ())),
    faulty_questions,
    faulty_questions,
    faulty_questions,
    context=st.sampled_from([CONTEXT, CONTEXT, f"  {CONTEXT}", "", "in\r\nUlm. Ann"]),
)
