"""The report's plots show the run's numbers: read back from what is drawn."""

import numpy as np
import pytest

from qa_eval import plots
from qa_eval.bootstrap import Figure
from qa_eval.score import Score


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """Return the axes where the page gets a picture."""
    monkeypatch.setattr(plots, "_svg", lambda axes: axes)


def score(confidence, right, *, answered=True):
    values = {"confidence": confidence, "right": right}
    if answered:
        values["right_answered"] = right
    return Score("x", "a.txt", "answerable", (), values)


def test_a_kind_has_the_bar_of_what_is_right_for_it():
    groups = {
        "answerable": {"citation_f1": Figure(0.75, 0.5, 0.9, 8), "refused": Figure(0.1, 0, 1, 8)},
        "overview": {"refused": Figure(0, 0, 0, 3), "support_recall": Figure(1.0, None, None, 3)},
        "unanswerable:near-miss": {"refused": Figure(0.5, 0.25, 1.0, 4)},
    }
    axes = plots.kind_plot(groups)
    names = [label.get_text() for label in axes.get_yticklabels()]
    widths = [bar.get_width() for bar in axes.patches]
    assert dict(zip(names, widths, strict=True)) == {
        "answerable (8)": 0.75,
        "overview (3)": 1.0,
        "unanswerable:near-miss (4)": 0.5,
    }
    assert sorted(list(line.get_xdata()) for line in axes.lines) == [[0.25, 1.0], [0.5, 0.9]]


def test_reliability_is_how_often_answers_of_a_confidence_were_right():
    made = [score(0.92, 1.0), score(0.98, 0.0), score(0.55, 1.0)]
    axes = plots.reliability_plot([*made, score(0.1, 0.0, answered=False)])
    points = [tuple(np.ravel(line.get_xydata())) for line in axes.lines[1:]]
    assert points == [(0.55, 1.0), (pytest.approx(0.95), 0.5)]
    assert [text.get_text().strip() for text in axes.texts] == ["1", "2"]


def test_the_risk_curve_takes_the_surest_answers_first():
    axes = plots.risk_plot([score(0.9, 1.0), score(0.5, 0.0)])
    (curve,) = axes.lines
    assert list(curve.get_xdata()) == [0.5, 1.0]
    assert list(curve.get_ydata()) == [0.0, 0.5]


def test_seconds_are_counted_and_the_median_and_the_95th_percentile_marked():
    axes = plots.latency_plot([1.0, 2.0, 3.0])
    assert sum(bar.get_height() for bar in axes.patches) == 3
    assert [line.get_xdata()[0] for line in axes.lines] == [2.0, pytest.approx(2.9)]


def test_nothing_asked_draws_nothing():
    assert len(plots.reliability_plot([]).lines) == 1
    assert not plots.risk_plot([]).lines
    assert not plots.latency_plot([]).patches
