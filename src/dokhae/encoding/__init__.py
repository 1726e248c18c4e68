"""Examples -> windows -> batches, in numpy. Character offsets are half-open and into the ORIGINAL context."""

from dokhae.encoding.batches import Batch, assemble, bucket_by_length, bucket_by_tokens, in_rows, sequence_lengths
from dokhae.encoding.cache import cached_features
from dokhae.encoding.features import Features, build_features
from dokhae.encoding.layout import Layout, PairTokenizer
from dokhae.encoding.pairs import PairConfig, build_pairs
from dokhae.encoding.windows import WindowConfig

__all__ = [
    "Batch",
    "Features",
    "Layout",
    "PairConfig",
    "PairTokenizer",
    "WindowConfig",
    "assemble",
    "bucket_by_length",
    "bucket_by_tokens",
    "build_features",
    "build_pairs",
    "cached_features",
    "in_rows",
    "sequence_lengths",
]
