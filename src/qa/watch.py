"""A folder watched: something is done whenever a file in it appears, changes or goes.

It looks every few seconds at names, sizes and times, which works on every system and on network
folders, and costs some 10 ms for a thousand files. It knows nothing of what is done.

Example: ``watch([Path("index/documents")], lambda: print("changed"), every_s=2, stop=Event())``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

from qa.documents import find_sources
from qa.errors import InputError

State = frozenset[tuple[str, int, int]]


def watch(
    paths: Sequence[Path],
    act: Callable[[], bool],
    *,
    every_s: float,
    stop: Event,
    done: State | None = None,
) -> None:
    """Call ``act`` after each change of the files under ``paths``, until ``stop`` is set.

    A change is acted on when it has been quiet for one look, so that a file being copied is read
    once, and again at every look while ``act`` returns False.

    :param paths: files and folders.
    :param act: does what a change calls for, and returns whether it succeeded.
    :param every_s: seconds from one look to the next.
    :param stop: ends the watch.
    :param done: the state that was acted on already; without it, the present one.
    """
    before = state_of(paths)
    done = before if done is None else done
    while not stop.wait(every_s):
        now = state_of(paths)
        if now == before != done and act():
            done = now
        before = now


def state_of(paths: Sequence[Path]) -> State:
    """Return the files under ``paths`` with their sizes and times; a missing path has none."""
    found = set()
    for path in paths:
        try:
            sources = find_sources([path])
        except InputError:  # a folder that was deleted, or is away for a while
            continue
        for source in sources:
            try:
                stat = source.path.stat()
            except OSError:  # gone since
                continue
            found.add((str(source.path), stat.st_size, stat.st_mtime_ns))
    return frozenset(found)
