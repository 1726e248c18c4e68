"""Logits -> n-best spans: the best legal spans of each window, windows merged, null score and threshold. No files."""

from dokhae.decoding.elements import whole_elements
from dokhae.decoding.merge import FoundSpans, choose, merge
from dokhae.decoding.spans import DecodingConfig, WindowSpans, beside, best_spans, concatenate
from dokhae.decoding.trimming import particles_of, trimmed, trimmed_ends

__all__ = [
    "DecodingConfig",
    "FoundSpans",
    "WindowSpans",
    "beside",
    "best_spans",
    "choose",
    "concatenate",
    "merge",
    "particles_of",
    "trimmed",
    "trimmed_ends",
    "whole_elements",
]
