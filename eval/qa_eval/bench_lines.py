"""A line of ``qa bench``: a figure and its budget.

Example: ``print(Line("tokens generated", 13, 22))``.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One measured figure and what it should reach (at most)."""

    what: str
    value: float
    budget: float
    unit: str = ""

    def __str__(self) -> str:
        mark = "ok" if self.value <= self.budget else "OVER"
        return f"{self.what:<62} {self.value:>9.2f}{self.unit:<4} ≤ {self.budget:<7g} {mark}"


def ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    """Return the ratio of the medians."""
    return statistics.median(ours) / statistics.median(others)


def note(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)
