"""What `dokhae predict` may be told of windows and decoding, in place of what was saved with the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig


@dataclass(frozen=True, slots=True)
class WindowChanges:
    """How contexts are cut; None: as the model says."""

    max_length: int | None = None  # tokens of a window, special tokens included; by default the model's own
    step: int | None = None  # tokens by which windows advance (BERT's "doc stride"); by default the model's own
    overlap: int | None = None  # tokens that neighbouring windows share (Hugging Face's "doc stride"), in place of step
    max_question_length: int | None = None  # tokens; what is longer is cut; by default the model's own

    def made(self, own: WindowConfig) -> WindowConfig:
        """The model's windows with these changes. SettingsError where no window can be so."""
        ways = () if self.step is None and self.overlap is None else ("step", "overlap")  # one takes the other's place
        return replace(own, **_given(self, ways))


@dataclass(frozen=True, slots=True)
class DecodingChanges:
    """How answers are searched; None: as the model says."""

    n_best: int | None = None  # candidates kept per window and per question; by default the model's own
    max_answer_length: int | None = None  # tokens; by default the model's own
    # pruned: only the n_best best starts and ends, as the old decoders; by default the model's own
    search: Literal["exact", "pruned"] | None = None

    def made(self, own: DecodingConfig) -> DecodingConfig:
        """The model's search with these changes. SettingsError where it would allow no span."""
        return replace(own, **_given(self))


def _given(changes: WindowChanges | DecodingChanges, also: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: value for name, value in asdict(changes).items() if value is not None or name in also}
