"""Logits -> n-best spans: the best legal spans of each window, windows merged, null score and threshold. No files."""

from dokhae.decoding.merge import FoundSpans, choose, merge
from dokhae.decoding.spans import DecodingConfig, WindowSpans, best_spans, concatenate

__all__ = ["DecodingConfig", "FoundSpans", "WindowSpans", "best_spans", "choose", "concatenate", "merge"]
