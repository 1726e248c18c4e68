"""What a training's settings mean for the contexts of its benchmark: pages in HTML, or plain text."""

from __future__ import annotations

from dataclasses import replace

from dokhae import benchmarks
from dokhae.training.config import TrainConfig


def for_contexts(config: TrainConfig) -> TrainConfig:
    """The settings with what was left open filled in, and without what is for pages alone where there are none."""
    html = benchmarks.find(config.benchmark).html
    config = replace(config, decoding=config.decoding.for_contexts(html, config.max_length))
    return config if html else replace(config, lead=0, no_block_head=False)
