"""How fast something goes, and how long it will still take, for lines of progress.

Example: ``Pace().told(320, 320 / 4096, "sentences")``: "44 sentences/s, about 0:01:26 left".
"""

from __future__ import annotations

import time
from datetime import timedelta


class Pace:
    """The pace since this was made."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()

    def told(self, done: int, share: float, unit: str) -> str:
        """Return the rate and the time left.

        :param done: how many of ``unit`` were done.
        :param share: how much of all the work that was, more than 0 and at most 1.
        :param unit: what is counted, in the plural.
        """
        elapsed_s = max(time.monotonic() - self._started_s, 1e-3)
        left = timedelta(seconds=round(elapsed_s * (1 - share) / share))
        return f"{done / elapsed_s:.0f} {unit}/s, about {left} left"
