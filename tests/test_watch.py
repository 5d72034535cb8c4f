"""A watched folder: changes are acted on once they are quiet, failures again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa.watch import State, state_of, watch

PATIENCE_S = 60.0


class Watched:
    """A watch in a thread that remembers what it saw at each act; ``failures`` acts fail first."""

    def __init__(self, folder: Path, failures: int = 0) -> None:
        self.folder = folder
        self.failures = failures
        self.acts: list[State] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        watch([self.folder], self._act, every_s=0.02, stop=self.stop)

    def _act(self) -> bool:
        self.acts.append(state_of([self.folder]))
        self.failures -= 1
        return self.failures < 0

    def wait_for(self, acts: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while len(self.acts) < acts:
            assert time.monotonic() < end, "no act"
            time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("Un.")
    return tmp_path / "docs"


@pytest.fixture
def watched(folder: Path) -> Iterator[Watched]:
    one = Watched(folder)
    one.thread.start()
    time.sleep(0.1)
    yield one
    one.stop.set()
    one.thread.join(PATIENCE_S)
    assert not one.thread.is_alive()


def names(state: State) -> set[str]:
    return {Path(path).name for path, _, _ in state}


def test_each_kind_of_change_is_acted_on_and_quiet_is_not(watched: Watched, folder: Path) -> None:
    time.sleep(0.2)
    assert watched.acts == []
    (folder / "b.txt").write_text("Deux.")
    watched.wait_for(1)
    (folder / "b.txt").write_text("Deux, encore.")
    watched.wait_for(2)
    (folder / "b.txt").rename(folder / "c.txt")
    watched.wait_for(3)
    (folder / "a.txt").unlink()
    watched.wait_for(4)
    assert names(watched.acts[-1]) == {"c.txt"}
    time.sleep(0.2)
    assert len(watched.acts) == 4


def test_an_act_that_failed_is_tried_again(folder: Path) -> None:
    one = Watched(folder, failures=2)
    one.thread.start()
    time.sleep(0.1)
    (folder / "b.txt").write_text("Deux.")
    one.wait_for(3)
    time.sleep(0.2)
    one.stop.set()
    one.thread.join(PATIENCE_S)
    assert len(one.acts) == 3


def test_a_folder_that_goes_away_has_no_files(folder: Path) -> None:
    assert names(state_of([folder])) == {"a.txt"}
    (folder / "a.txt").unlink()
    folder.rmdir()
    assert state_of([folder]) == frozenset()


def test_what_changed_since_the_state_that_was_acted_on_is_acted_on(folder: Path) -> None:
    done = state_of([folder])
    (folder / "b.txt").write_text("Deux.")
    stop = threading.Event()
    acts: list[State] = []

    def act() -> bool:
        acts.append(state_of([folder]))
        stop.set()
        return True

    end = threading.Timer(PATIENCE_S, stop.set)
    end.start()
    watch([folder], act, every_s=0.01, stop=stop, done=done)
    end.cancel()
    assert names(acts[0]) == {"a.txt", "b.txt"}
