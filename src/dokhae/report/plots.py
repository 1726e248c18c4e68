"""The images of the official SQuAD 2.0 script, under its file names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dokhae.report.figures import empty_figure, save_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dokhae.metrics import Curve

TITLES = {
    "pr_exact": "Precision-Recall curve for Exact Match score",
    "pr_f1": "Precision-Recall curve for {f1} score",
    "pr_oracle": "Oracle Precision-Recall curve (binary task of HasAns vs. NoAns)",
}


def draw_squad2_images(
    folder: Path,
    curves: Mapping[str, Curve],
    na_probs: Mapping[str, float],
    has_answer: Mapping[str, bool],
    f1_label: str = "F1",
) -> list[Path]:
    """Write pr_*.png and na_prob_hist_*.png into the folder; a subset without questions gets no image."""
    images = {name: _draw_curve(curve, TITLES[name].format(f1=f1_label)) for name, curve in curves.items()}
    for subset, wanted in (("hasAns", True), ("noAns", False)):
        probabilities = [na_probs[id] for id, answerable in has_answer.items() if answerable is wanted]
        if probabilities:
            images[f"na_prob_hist_{subset}"] = _draw_histogram(probabilities, subset)
    return save_images(folder, images)


def _draw_curve(curve: Curve, title: str) -> Figure:
    figure, axes = empty_figure("images of curves")
    axes.step(curve.recalls, curve.precisions, color="b", alpha=0.2, where="post")
    axes.fill_between(curve.recalls, curve.precisions, step="post", alpha=0.2, color="b")
    axes.set(xlabel="Recall", ylabel="Precision", xlim=(0.0, 1.05), ylim=(0.0, 1.05), title=title)
    return figure


def _draw_histogram(probabilities: Sequence[float], subset: str) -> Figure:
    figure, axes = empty_figure("images of curves")
    weights = [1 / len(probabilities)] * len(probabilities)
    axes.hist(probabilities, weights=weights, bins=20, range=(0.0, 1.0))
    axes.set(
        xlabel="Model probability of no-answer",
        ylabel="Proportion of dataset",
        title=f"Histogram of no-answer probability: {subset}",
    )
    return figure
