"""A changed encoder: plain refusals, new vectors from stored text, the old index meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes import HashEncoder
from qa.errors import IndexMismatch
from qa.ingest import sync
from qa.reembed import reembed
from qa.retrieve import retrieve
from qa.store import Store

TEXTS = {
    "irak.txt": "Trois soldats sont morts. Bagdad négocie avec Washington.",
    "cuisine.txt": "Faites fondre le beurre. Ajoutez trois œufs.",
    "météo.txt": "Il pleut sur la ville. Le vent souffle.",
}
OLD = HashEncoder()


class OtherEncoder(HashEncoder):
    """Another encoder, of 32 dimensions, that can stop after some batches."""

    def __init__(self, batches: int = 1000) -> None:
        super().__init__("other-32")
        self.dim = 32
        self.left = batches

    def encode(
        self,
        texts: Sequence[str],
        *,
        query: bool = False,
        progress: Callable[..., Any] | None = None,
    ) -> np.ndarray:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        rows = super().encode(texts, query=query)[:, 32:]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def _small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa.reembed._COMMIT_SENTENCES", 1)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "docs" / name).write_text(text, encoding="utf-8")
    return tmp_path / "docs"


@pytest.fixture
def folder(tmp_path: Path, docs: Path) -> Path:
    with Store.open(tmp_path / "store", OLD.id, OLD.dim) as store:
        sync([docs], store, OLD)
    return tmp_path / "store"


def found(folder: Path, encoder: HashEncoder) -> list[tuple[str, float]]:
    with Store.open(folder, encoder.id, encoder.dim) as store:
        assert store.check(deep=True) == []
        hits = retrieve("trois soldats", store, encoder, top_k=9)
        return [(hit.sentence.location, hit.score) for hit in hits]


def test_the_result_equals_an_index_made_with_the_new_encoder(
    folder: Path, docs: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    assert reembed(folder, OtherEncoder(), said.append) == 6
    assert said[-1] == "6 of 6 sentences have their new vectors"
    with Store.open(tmp_path / "anew", "other-32", 32) as anew:
        sync([docs], anew, OtherEncoder())
    assert found(folder, OtherEncoder()) == found(tmp_path / "anew", OtherEncoder())
    assert not (folder / "reembed").exists()
    with Store.open(folder, "other-32", 32) as store:
        assert sync([docs], store, OtherEncoder()).added == ()


def test_a_search_with_another_encoder_is_refused_also_in_a_process_that_was_open(
    folder: Path,
) -> None:
    with Store.open(folder, OLD.id, OLD.dim) as before:
        assert retrieve("soldats", before, OLD, top_k=3)
        reembed(folder, OtherEncoder())
        with pytest.raises(IndexMismatch, match=r"'other-32'.*'hash-64'.*qa index --reembed"):
            retrieve("soldats", before, OLD, top_k=3)
    with pytest.raises(IndexMismatch, match=r"qa index --reembed"):
        Store.open(folder, OLD.id, OLD.dim)


def test_an_interrupted_run_goes_on_and_the_old_index_answers_meanwhile(folder: Path) -> None:
    before = found(folder, OLD)
    with pytest.raises(KeyboardInterrupt):
        reembed(folder, OtherEncoder(2))
    assert found(folder, OLD) == before
    assert reembed(folder, OtherEncoder()) == 2
    assert found(folder, OtherEncoder())


def test_documents_that_change_meanwhile_are_taken_as_they_are_then(
    folder: Path, docs: Path
) -> None:
    class Meddling(OtherEncoder):
        def encode(self, texts: Sequence[str], **more: Any) -> np.ndarray:
            if self.left == 999:
                (docs / "irak.txt").write_text("Une phrase nouvelle.", encoding="utf-8")
                (docs / "météo.txt").unlink()
                with Store.open(folder, OLD.id, OLD.dim) as store:
                    sync([docs], store, OLD)
            return super().encode(texts, **more)

    reembed(folder, Meddling())
    locations = {location for location, _ in found(folder, OtherEncoder())}
    assert locations == {"irak.txt:0-20", "cuisine.txt:0-24", "cuisine.txt:25-44"}


def test_a_run_begun_with_yet_another_encoder_is_begun_anew(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        reembed(folder, OtherEncoder(1))
    assert reembed(folder, HashEncoder("third-64")) == 6
    assert found(folder, HashEncoder("third-64"))


def test_damaged_sentences_vectors_and_terms_are_mended_from_the_text(
    folder: Path, docs: Path
) -> None:
    before = found(folder, OLD)
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.execute("UPDATE spans SET places = zeroblob(9) WHERE document = 'irak.txt'")
        raw.execute("UPDATE vectors SET block = zeroblob(132) WHERE row = 3")
        raw.execute("INSERT INTO terms (terms, rowid, stems) VALUES ('delete', 5, 'vill')")
    raw.close()
    with Store.open(folder, OLD.id, OLD.dim) as store:
        assert len(store.check(deep=True)) >= 3
    reembed(folder, OLD)
    assert found(folder, OLD) == before


def test_a_process_that_was_open_does_not_add_vectors_of_the_encoder_before(
    folder: Path, docs: Path
) -> None:
    new = HashEncoder("new-64")
    with Store.open(folder, OLD.id, OLD.dim) as before:
        reembed(folder, new)
        (docs / "new.txt").write_text("Une phrase nouvelle.", encoding="utf-8")
        with pytest.raises(IndexMismatch, match=r"'new-64'.*'hash-64'"):
            sync([docs], before, OLD)
    with Store.open(folder, new.id, new.dim) as store:
        assert "new.txt" not in store


def test_a_file_of_another_program_s_does_not_matter(folder: Path) -> None:
    (folder / "reembed").mkdir()
    (folder / "reembed" / ".DS_Store").write_text("x")
    assert reembed(folder, OtherEncoder()) == 6
    assert not (folder / "reembed").exists()
