"""What a training's settings mean for the contexts of its benchmark: pages in HTML, or plain text."""

from __future__ import annotations

from dataclasses import replace

from dokhae import benchmarks
from dokhae.decoding.spans import MAX_ANSWER_LENGTH
from dokhae.training.config import TrainConfig


def for_contexts(config: TrainConfig) -> TrainConfig:
    """The settings with what was left open filled in, and without what is for pages alone where there are none."""
    html = benchmarks.find(config.benchmark).html
    longest = config.decoding.max_answer_length or (config.max_length if html else MAX_ANSWER_LENGTH)
    config = replace(config, decoding=replace(config.decoding, max_answer_length=longest))
    return config if html else replace(config, lead=0, block_head=False)
