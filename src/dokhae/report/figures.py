"""Images without pyplot, which would choose a backend for the whole process and keep every figure alive."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dokhae.errors import optional
from dokhae.files import atomic_path, make_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def empty_figure(what: str, **options: Any) -> tuple[Figure, Axes]:  # noqa: ANN401 - matplotlib's
    """A figure with one pair of axes; `what` it is for begins the message of MissingExtra."""
    with optional(what, "report"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def save_images(folder: Path, images: Mapping[str, Figure]) -> list[Path]:
    """Write each figure as a PNG file of its name, whole or not at all."""
    folder = make_folder(Path(folder))
    for name, figure in images.items():
        with atomic_path(folder / f"{name}.png") as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # a path in Hangul, which the font may lack
            figure.savefig(temporary, format="png")
    return [folder / f"{name}.png" for name in images]
