"""One side of the inference measurement: a process that answers questions as long as its input gives some.

`python -m speed.answering pipeline MODEL` runs in the environment of transformers 4, `... dokhae MODEL PRECISION` in
ours; so nothing of either is imported before it is known which. A line of input has the questions to answer together
and those to answer alone, as JSON; a line of output the seconds of the first, of each of the others, and the texts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Questions = list[dict[str, str]]  # id, question, context
Ways = tuple[Callable[[Questions], list[str]], Callable[[dict[str, str]], str]]  # all together; one alone


def pipeline(model: str) -> Ways:
    """The question-answering pipeline of transformers 4 with its defaults."""
    import transformers

    answer: Any = transformers.pipeline("question-answering", model=model, tokenizer=model, device="cpu")

    def all_of(questions: Questions) -> list[str]:
        found = answer(question=[one["question"] for one in questions], context=[one["context"] for one in questions])
        return [one["answer"] for one in (found if isinstance(found, list) else [found])]

    return all_of, lambda one: str(answer(question=one["question"], context=one["context"])["answer"])


def dokhae(model: str, precision: str) -> Ways:
    """The reader."""
    from dokhae import Reader
    from dokhae.types import Example

    reader = Reader.load(model, device="cpu", precision=precision)

    def all_of(questions: Questions) -> list[str]:
        return [prediction.text for prediction in reader.predict([Example(**one) for one in questions])]

    return all_of, lambda one: reader(question=one["question"], context=one["context"]).text


def answer_lines(ways: Ways) -> None:
    """Answer what comes, and tell how long it took; stdout belongs to the answers alone."""
    together, alone = ways
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.perf_counter()
        texts = together(asked["together"]) if asked["together"] else []
        seconds, each = time.perf_counter() - begun, []
        for one in asked["alone"]:
            begun = time.perf_counter()
            alone(one)
            each.append(time.perf_counter() - begun)
        print(json.dumps({"seconds": seconds, "each": each, "texts": texts}), flush=True)


if __name__ == "__main__":
    side, *given = sys.argv[1:]
    answer_lines({"pipeline": pipeline, "dokhae": dokhae}[side](*given))
