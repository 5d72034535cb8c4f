"""The report's plots as SVG text to stand in a page: nothing is fetched, text is drawn as paths.

Example: ``latency_plot([1.2, 3.4])`` begins with ``<svg``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qa_eval import weighted
from qa_eval.bootstrap import Figure
from qa_eval.score import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREEN, _ORANGE, _GREY = "#2f6f5e", "#c2662d", "#999999"


def _svg(axes: Axes) -> str:
    """Return the axes' figure as an ``<svg>`` element without metadata."""
    import matplotlib

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure = axes.get_figure(root=True)
    assert figure is not None
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "qa"}):
        figure.savefig(buffer, format="svg", metadata=nothing, bbox_inches="tight")
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _axes(title: str, width: float = 5.2, height: float = 3.6) -> Axes:
    from matplotlib.figure import Figure as Canvas

    axes = Canvas(figsize=(width, height)).add_subplot()
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return axes


def kind_plot(groups: Mapping[str, Mapping[str, Figure]]) -> str:
    """Draw a bar for each kind and tag: citation F1, or what tells a right reaction instead."""
    rows = []
    for name, row in groups.items():
        measure, colour = ("citation_f1", _GREEN)
        if name.startswith("unanswerable"):
            measure, colour = ("refused", _ORANGE)
        elif name == "overview":
            measure, colour = ("support_recall", _GREY)
        if (figure := row.get(measure)) is not None:
            rows.append((name, figure, colour))
    rows.reverse()
    title = "Citation F1 (green), rightly refused (orange), supported (grey)"
    axes = _axes(title, 6.4, 0.6 + 0.28 * max(4, len(rows)))
    for place, (_, figure, colour) in enumerate(rows):
        axes.barh(place, figure.value, color=colour, height=0.7)
        if figure.low is not None and figure.high is not None:
            axes.plot([figure.low, figure.high], [place, place], color="black", linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{name} ({figure.n})" for name, figure, _ in rows])
    axes.set_xlim(0, 1)
    return _svg(axes)


def reliability_plot(scores: Sequence[Score]) -> str:
    """Draw how often answers were right against the confidence that they are."""
    pairs = [
        (score.values["confidence"], score.values["right_answered"])
        for score in scores
        if "right_answered" in score.values
    ]
    axes = _axes("Reliability: is what was answered right? (number of answers)")
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--")
    said, truth = np.array(pairs, dtype=float).reshape(-1, 2).T
    bins = weighted.bin_of(said)
    for one in np.unique(bins):
        inside = bins == one
        x, y = said[inside].mean(), truth[inside].mean()
        axes.plot(x, y, "o", color=_GREEN)
        axes.annotate(f" {inside.sum()}", (x, y), fontsize=7, va="center")
    axes.set_xlabel("confidence", fontsize=8)
    axes.set_ylabel("share right", fontsize=8)
    axes.set_xlim(0, 1.05)
    axes.set_ylim(0, 1.05)
    return _svg(axes)


def risk_plot(scores: Sequence[Score]) -> str:
    """Draw the risk–coverage curve: surest answers first."""
    held = [score.values for score in scores if "right" in score.values]
    axes = _axes("Risk and coverage: surest answers first")
    if held:
        confidence, right = (
            np.array([values[name] for values in held]) for name in ("confidence", "right")
        )
        curve = weighted.risk_coverage(confidence, right, np.ones((1, len(held))))
        axes.plot(curve.coverage[0], 1 - curve.accuracy[0], color=_GREEN)
    axes.set_xlabel("share of the questions", fontsize=8)
    axes.set_ylabel("share of them not answered right", fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return _svg(axes)


def latency_plot(seconds: Sequence[float]) -> str:
    """Draw how long questions took, with the median and the 95th percentile."""
    axes = _axes("Seconds a question (line: median, dashed: p95)")
    if seconds:
        axes.hist(seconds, bins=30, color=_GREEN)
        for share, style in ((50, "-"), (95, "--")):
            axes.axvline(np.percentile(seconds, share), color=_ORANGE, linestyle=style)
    axes.set_xlabel("seconds", fontsize=8)
    axes.set_ylabel("questions", fontsize=8)
    return _svg(axes)
