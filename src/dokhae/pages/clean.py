"""What a reader sees of a piece of a page, escaped, so that it is HTML again and scores as the piece itself."""

from __future__ import annotations

import html

from dokhae.pages.tags import FIRST_MARKER
from dokhae.pages.text import PageConfig, page_text

AS_SHOWN = PageConfig(keep_edit_marks=True)
BREAKS = {code: "\n" for code in range(FIRST_MARKER, 0x110000)}


def clean(piece: str) -> str:
    """The visible text of a piece of a page, a line for each block, with &, < and > escaped.

    The official rule of KorQuAD 2.x takes tags and spaces out of both, so they score the same, but for control
    characters and those of the last plane for private use, which are not kept.
    """
    lines = page_text(piece, AS_SHOWN).text.translate(BREAKS).split("\n")
    return html.escape("\n".join(line for line in map(str.strip, lines) if line), quote=False)
