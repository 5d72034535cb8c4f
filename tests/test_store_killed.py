"""A process killed at any moment leaves the last committed state; ``make torture`` does it longer.

A driver forks children that add, change and remove documents and say after each commit which one
it was; each child is killed at a random moment. What is on disk must then be the state after the
last commit that was said, or after the one that was under way.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa.store import Store, seal
from test_store import ENCODER, dense, lexical, put, reopened

KILLS = int(os.environ.get("TORTURE_KILLS", "20"))
WORDS = "soldat marche vers ville drapeau rouge bleu vert pluie fine".split()  # noqa: SIM905
Change = tuple[str, list[str]]

DRIVER = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import faiss
from test_store_killed import ENCODER, apply, change, reopened, small
small()
for line in sys.stdin:
    number, delay = int(line.split()[0]), float(line.split()[1])
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        store = reopened(Path({folder!r}))
        os.write(writer, b"opened\\n")
        while True:
            apply(store, change(number))
            number += 1
            os.write(writer, b"%d\\n" % number)
    os.close(writer)
    said = os.fdopen(reader)
    assert said.readline() == "opened\\n"
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(max([number, *map(int, said.read().split())]), flush=True)
"""


def small() -> None:
    """Make files of vectors, exact and coarse ones, of a few documents."""
    seal.SEALED_ROWS, seal.EXACT_VECTORS, seal.COARSE_VECTORS = 20, 60, 16


def change(number: int) -> list[Change]:
    """Return the documents that a commit writes, or removes where they have no lines."""
    rng = random.Random(number)
    return [
        (
            f"d{rng.randrange(12)}.txt",
            [
                " ".join(rng.choices(WORDS, k=5)) + f" {number} {at}."
                for at in range(rng.choice((0, 3, 9, 20)))
            ],
        )
        for _ in range(rng.choice((1, 1, 3)))
    ]


def apply(store: Store, changes: list[Change]) -> None:
    with store.writing():
        for document_id, lines in changes:
            if lines:
                put(store, document_id, lines)
            else:
                store.remove([document_id])


def state_after(count: int) -> dict[str, list[str]]:
    state: dict[str, list[str]] = {}
    for number in range(count):
        for document_id, lines in change(number):
            state.pop(document_id, None)
            if lines:
                state[document_id] = lines
    return state


def seen(store: Store) -> dict[str, list[str]]:
    return {info.id: [one.text for one in store.sentences(info.id)] for info in store.documents()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def driver(folder: Path) -> Iterator[subprocess.Popen[str]]:
    code = DRIVER.format(tests=str(Path(__file__).parent), folder=str(folder))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


def test_a_process_killed_at_any_moment_leaves_the_last_committed_state(
    driver: subprocess.Popen[str],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SEALED_ROWS", "EXACT_VECTORS", "COARSE_VECTORS"):
        monkeypatch.setattr(seal, name, getattr(seal, name))
    small()
    assert driver.stdin
    assert driver.stdout
    rng = random.Random(1)
    done = 0
    for _ in range(KILLS):
        driver.stdin.write(f"{done} {rng.uniform(0, 0.25)}\n")
        driver.stdin.flush()
        said = int(driver.stdout.readline())
        with reopened(folder) as store:
            found = seen(store)
            assert found in (state_after(said), state_after(said + 1)), f"after commit {said}"
            assert store.check(deep=True) == []
            named = {segment.name for segment in store._segments()}
            assert {path.name for path in folder.glob("vectors*")} == named
        done = said + (found != state_after(said))
    assert done > KILLS / 4  # commits were made, and interrupted
    with (
        reopened(folder) as store,
        Store.open(tmp_path / "fresh", ENCODER.id, ENCODER.dim) as fresh,
    ):
        for document_id, lines in state_after(done).items():
            put(fresh, document_id, lines)
        monkeypatch.setattr(seal, "EXACT_VECTORS", 10**6)
        size = fresh.size()
        for word in WORDS:
            ours, theirs = (lexical(one, word, size) for one in (store, fresh))
            assert sorted(ours) == sorted(theirs)
            ours, theirs = (dense(one, word, size) for one in (store, fresh))
            assert sorted(ours) == sorted(theirs)
