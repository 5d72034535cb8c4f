"""Shows how far a run is: a bar with rate and time left, or lines where there is no terminal.

Example: ``with Progress(total=283, done=0) as progress: progress(prediction)``.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from qa_eval.predictions import Prediction


class Progress:
    """Counts predictions on stderr; those made before this run count as done, not in the rate."""

    def __init__(self, total: int, done: int, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr)
        self._total, self._done, self._made = total, done, 0
        self._started = time.perf_counter()
        self._bar = Bar(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("left · {task.fields[last]}", markup=False),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, completed=done, rate="", last="")

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, prediction: Prediction) -> None:
        """Count one more."""
        self._made += 1
        self._done += 1
        verdict = "answered" if prediction.answered else "refused"
        last = f"{prediction.id}: {verdict} in {prediction.latency_s:.1f} s"
        if self._bar.disable:
            self._line(last)
        else:
            self._bar.update(self._task, advance=1, rate=self._rate(), last=last)

    def _line(self, last: str) -> None:
        seconds = self._each_s() * (self._total - self._done)
        left = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
        line = f"{self._done}/{self._total} {last}; {self._rate()}, {left} left"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _each_s(self) -> float:
        return (time.perf_counter() - self._started) / max(1, self._made)

    def _rate(self) -> str:
        return f"{60 / max(self._each_s(), 1e-6):.1f} a minute"
