from __future__ import annotations

import pytest

from qa.pace import Pace


@pytest.mark.parametrize(
    ("seconds", "done", "share", "told"),
    [
        (10.0, 440, 0.1, "44 sentences/s, about 0:01:30 left"),
        (7200.0, 72, 0.5, "0 sentences/s, about 2:00:00 left"),
        (3.0, 6, 1.0, "2 sentences/s, about 0:00:00 left"),
        (0.0, 5, 0.5, "5000 sentences/s, about 0:00:00 left"),
    ],
)
def test_the_rate_and_the_time_left_follow_what_was_done(
    monkeypatch: pytest.MonkeyPatch, seconds: float, done: int, share: float, told: str
) -> None:
    clock = iter([100.0, 100.0 + seconds])
    monkeypatch.setattr("qa.pace.time.monotonic", lambda: next(clock))
    assert Pace().told(done, share, "sentences") == told
