"""Logits -> n-best spans: the best legal spans of each window, windows merged, null score and threshold. No files."""

from dokhae.decoding.merge import FoundSpans, choose, merge
from dokhae.decoding.spans import DecodingConfig, WindowSpans, best_spans, concatenate
from dokhae.decoding.trimming import trimmed, trimmed_ends

__all__ = [
    "DecodingConfig",
    "FoundSpans",
    "WindowSpans",
    "best_spans",
    "choose",
    "concatenate",
    "merge",
    "trimmed",
    "trimmed_ends",
]
