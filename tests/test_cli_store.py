"""The commands that move, mend and follow an index."""

from __future__ import annotations

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
    """An assistant that indexes nothing and remembers what it was asked to."""

    def __init__(self, *outcomes: QAError | None) -> None:
        self.outcomes = list(outcomes)
        self.indexed: list[object] = []
        self.report = None

    def open(self, paths: object = None, settings: object = None, progress: object = None) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def warm(self, progress: object = None) -> int:
        return 0

    def index(self, paths: list[Path], progress: object = None) -> types.SimpleNamespace:
        self.indexed.append(paths)
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
        paths: list[Path], act: Callable[[], bool], *, every_s: float, stop: threading.Event
    ) -> None:
        assert every_s > 0
        outcomes.extend((act(), act()))

    monkeypatch.setattr("qa.watch.watch", two_changes)
    assert cli.main(["index", "--watch", "--store", str(store), "a.txt"]) == 0
    assert outcomes == [False, True]
    assert assistant.indexed == [[Path("a.txt")]] * 2
    shown = capsys.readouterr()
    assert "error: no space is left; tried again" in shown.err
    assert "added b.txt" in shown.out
