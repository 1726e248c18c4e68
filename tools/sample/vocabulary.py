"""The WordPiece vocabulary of the demo's encoder, read off the templates and names: no text is counted.

Korean words are cut before their particle, and every syllable and letter is there alone, so a span can begin and end
wherever an answer does. A year is one piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sample.names import FORMS, PART, PARTICLES, PARTS, syllables
from sample.passages import LANGUAGES, SLOT, YEARS, kinds

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORD = re.compile(r"[가-힣]+|[A-Za-z]+")
PARTICLE = re.compile(r"(에게서|에게|에서는|에서|에는|부터|까지|으로|은|는|이|가|을|를|과|와|의|에|도|만|로)$")
CONTINUATION = "##"


def vocabulary() -> list[str]:
    """The entries, in the order of their numbers."""
    letters = sorted({chr(code) for code in range(0x21, 0x7F)} | set(syllables()) | set("『』「」《》〈〉‘’“”·–—…°"))
    pieces = {piece for template in texts() for piece in pieces_of(template)}
    pieces |= {str(year) for year in YEARS}
    pieces |= {f"{CONTINUATION}{form}" for forms in PARTICLES.values() for form in forms}
    pieces |= {f"{onset}{vowel}" for onset in PARTS["onset"] for vowel in PARTS["vowel"]}
    pieces |= {f"{CONTINUATION}{coda}" for coda in PARTS["coda"]}
    pieces |= {f"{CONTINUATION}{vowel}{letter}" for vowel in PARTS["vowel"] for letter in "bcdfgklmnprstvx"}
    longer = {piece for piece in pieces if len(piece.removeprefix(CONTINUATION)) > 1}
    return [*SPECIALS, *letters, *(f"{CONTINUATION}{letter}" for letter in letters), *sorted(longer)]


def texts() -> Iterator[str]:
    """Templates, values and names, with {slots} where others follow or stand before."""
    yield from PARTS["month"]
    for kind in (kind for language in LANGUAGES for kind in kinds(language)):
        yield from (*kind.together, *kind.asides, *kind.again)
        for forms in (*kind.statements.values(), *kind.questions.values()):
            yield from forms
        for maker in kind.values.values():
            what, _, rest = maker.partition(" ")
            yield from kind.words[rest] if what == "words" else [rest.partition(" ")[2]]
        for form in (form for forms in FORMS[kind.language].values() for form in forms):
            yield form
            for part in PART.finditer(form):
                before = form[: part.start()].rstrip("『")
                yield from (f"{{slot}}{one}" if before and before[-1] != " " else one for one in PARTS[part[1]])


def pieces_of(template: str) -> Iterator[str]:
    """Words that stand alone, and the endings that follow a slot without a space."""
    text = SLOT.sub("\0", template).replace("{}", "\0").replace("{:,}", "\0")
    for word in WORD.finditer(text):
        follows = word.start() > 0 and text[word.start() - 1] == "\0"
        mark = CONTINUATION if follows else ""
        particle = None if follows else PARTICLE.search(word[0])
        if particle and particle.start() > 0:
            yield word[0][: particle.start()]
            yield CONTINUATION + particle[0]
        else:
            yield mark + word[0]
