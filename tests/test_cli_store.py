"""The commands that move, mend and follow an index."""

from __future__ import annotations

import errno
import json
import shutil
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

import qa.assistant
import qa.embed
from fakes import HashEncoder
from qa import cli
from qa.errors import QAError
from qa.ingest import sync
from qa.store import Store
from qa.watch import State, watch

OLD = HashEncoder()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("Il pleut. Le vent souffle.", encoding="utf-8")
    with Store.open(tmp_path / "store", OLD.id, OLD.dim) as opened:
        sync([tmp_path / "a.txt"], opened, OLD)
    return tmp_path / "store"


def test_reembed_makes_the_index_one_of_the_encoder_in_force(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = HashEncoder("new-64")
    monkeypatch.setattr(qa.embed, "load_encoder", lambda *_, **__: new)
    assert cli.main(["index", "--reembed", "--store", str(store)]) == 0
    assert capsys.readouterr().out == "2 sentences have new vectors\n"
    with Store.open(store, new.id, new.dim) as opened:
        assert opened.check(deep=True) == []


def test_reembed_without_an_index_is_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(qa.embed, "load_encoder", lambda *_, **__: OLD)
    assert cli.main(["index", "--reembed", "--store", str(tmp_path / "none")]) == 2
    assert "there is no index" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_what_is_exported_can_be_imported(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "index.parquet", tmp_path / "other"
    assert cli.main(["export", str(file), "--store", str(store)]) == 0
    assert cli.main(["import", str(file), "--store", str(other)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"1 documents in {str(file)!r}",
        f"1 documents in {str(other)!r}",
    ]
    with Store.open(other) as imported, Store.open(store) as exported:
        assert imported.signatures() == exported.signatures()
    assert cli.main(["import", str(file), "--store", str(other)]) == 2
    assert "choose another --store" in capsys.readouterr().err


class Following:
    """An assistant that indexes nothing and remembers how often it was asked to."""

    def __init__(self, *outcomes: QAError | None) -> None:
        self.outcomes = list(outcomes)
        self.reindexed = 0
        self.report = None

    def open(self, paths: object = None, settings: object = None, progress: object = None) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def warm(self, progress: object = None) -> int:
        return 0

    def reindex(self, progress: object = None) -> types.SimpleNamespace:
        self.reindexed += 1
        if outcome := self.outcomes.pop(0):
            raise outcome
        empty = dict.fromkeys(("added", "updated", "removed", "unchanged", "failed"), ())
        return types.SimpleNamespace(**{**empty, "added": ("b.txt",), "sentences": 1})


def test_watch_indexes_what_changes_and_goes_on_after_an_error(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = Following(QAError("no space is left"), None)
    monkeypatch.setattr(qa.assistant, "Assistant", assistant)
    outcomes: list[bool] = []

    def two_changes(
        paths: list[Path],
        act: Callable[[], bool],
        *,
        every_s: float,
        stop: threading.Event,
        done: State,
    ) -> None:
        assert every_s > 0
        outcomes.extend((act(), act()))

    monkeypatch.setattr("qa.watch.watch", two_changes)
    assert cli.main(["index", "--watch", "--store", str(store), "a.txt"]) == 0
    assert outcomes == [False, True]
    assert assistant.reindexed == 2
    shown = capsys.readouterr()
    assert "error: no space is left; tried again" in shown.err
    assert "added b.txt" in shown.out


def test_watch_takes_what_came_while_the_model_read_and_goes_on_without_a_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(qa.assistant, "load_encoder", lambda *_, **__: OLD)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / f"{folder.name}.txt").write_text("Il pleut.", encoding="utf-8")

    def warm(self: qa.assistant.Assistant, progress: object = None) -> int:
        (folders[0] / "late.txt").write_text("Le vent souffle.", encoding="utf-8")
        shutil.rmtree(folders[1], ignore_errors=True)
        return 0

    def quiet(
        paths: list[Path],
        act: Callable[[], bool],
        *,
        every_s: float,
        stop: threading.Event,
        done: State,
    ) -> None:
        def act_once() -> bool:
            stop.set()
            return act()

        watch(paths, act_once, every_s=0.01, stop=stop, done=done)

    monkeypatch.setattr(qa.assistant.Assistant, "warm", warm)
    monkeypatch.setattr("qa.watch.watch", quiet)
    named = [*map(str, folders), "--store", str(tmp_path / "store"), "--backend", "extractive"]
    assert cli.main(["index", "--watch", *named]) == 0
    shown = capsys.readouterr()
    assert "added late.txt" in shown.out
    assert shown.err.count(f"failed {folders[1]}: ") == 1
    assert "internal error" not in shown.err


@pytest.mark.parametrize("named", [True, False])
def test_a_path_that_cannot_be_reached_is_exit_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    named: bool,
) -> None:
    reached = Path.exists

    def exists(path: Path) -> bool:
        if path.name == "private":  # the tests may run as root, who may go everywhere
            raise PermissionError(errno.EACCES, "Permission denied")
        return reached(path)

    monkeypatch.setattr(Path, "exists", exists)
    private = str(tmp_path / "private")
    monkeypatch.setenv("QA_DOCUMENTS", json.dumps([private]))
    arguments = ["index", *([private] if named else []), "--store", str(tmp_path / "store")]
    assert cli.main(arguments) == 2
    assert "cannot be reached (Permission denied)" in capsys.readouterr().err
