"""An index as one file: what comes out of the file is what went in."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from fakes import HashEncoder
from qa.errors import InputError
from qa.ingest import sync
from qa.retrieve import retrieve
from qa.store import Label, Store
from qa.transfer import export_store, import_store

ENCODER = HashEncoder()
TEXTS = {
    "irak.txt": "Trois soldats sont morts. Bagdad négocie.",
    "cuisine.md": "# Crêpes\n\nFaites fondre le beurre. Ajoutez trois œufs.",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "docs").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "docs" / name).write_text(text, encoding="utf-8")
    store = Store.open(tmp_path / "store", ENCODER.id, ENCODER.dim)
    sync([tmp_path / "docs"], store, ENCODER)
    store.label("irak.txt", {1: Label("n1", '{"author": "Anne"}')})
    return store


def hits(store: Store) -> list[object]:
    return [
        (hit.sentence, hit.score, hit.dense, hit.lexical)
        for question in ("trois soldats", "beurre")
        for hit in retrieve(question, store, ENCODER, top_k=9)
    ]


def test_another_machine_opens_it_without_encoding(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "index.parquet"
    assert export_store(store, file) == 2
    encoded = len(ENCODER.texts)
    assert import_store(file, tmp_path / "other") == 2
    assert len(ENCODER.texts) == encoded
    with Store.open(tmp_path / "other", ENCODER.id, ENCODER.dim) as other:
        assert other.documents() == store.documents()
        assert other.signatures() == store.signatures()
        assert hits(other) == hits(store)
        assert other.labels_at(other.rows(["irak.txt"])).popitem()[1].id == "n1"
        assert other.check(deep=True) == []
        unchanged = sync([tmp_path / "docs"], other, ENCODER).unchanged
        assert unchanged == ("cuisine.md", "irak.txt")


def test_an_index_that_is_there_is_not_written_over(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "index.parquet"
    export_store(store, file)
    before = store.signatures()
    with pytest.raises(InputError, match="--store"):
        import_store(file, store.folder)
    assert store.signatures() == before


def test_a_damaged_file_is_refused_and_nothing_of_it_is_kept(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "index.parquet"
    export_store(store, file)
    content = file.read_bytes()
    rng = random.Random(3)
    refused = 0
    for number in range(25):
        harmed = bytearray(content)
        harmed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        file.write_bytes(harmed if number else content[: len(content) // 2])
        folder = tmp_path / f"other-{number}"
        try:
            import_store(file, folder)
        except InputError:
            refused += 1
            if (folder / "store.sqlite").exists():
                with Store.open(folder) as other:
                    assert other.documents() == ()
        else:
            with Store.open(folder, ENCODER.id, ENCODER.dim) as other:
                assert hits(other) == hits(store)
    assert refused > 5


@pytest.mark.parametrize("content", [b"", b"no parquet at all"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=r"x' cannot be imported"):
        import_store(tmp_path / "x", tmp_path / "store")


def test_without_pyarrow_the_error_names_the_command(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'qa-sentence-citations\[parquet\]'"):
        export_store(store, tmp_path / "index.parquet")


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_nothing(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="another place"):
        export_store(store, tmp_path / "nowhere" / "index.parquet")
    assert not (tmp_path / "nowhere").exists()


def test_a_document_whose_file_is_not_here_stays_when_files_are_read(
    store: Store, tmp_path: Path
) -> None:
    export_store(store, tmp_path / "index.parquet")
    (tmp_path / "docs" / "irak.txt").unlink()
    import_store(tmp_path / "index.parquet", tmp_path / "other")
    with Store.open(tmp_path / "other", ENCODER.id, ENCODER.dim) as other:
        assert sync([tmp_path / "docs"], other, ENCODER).removed == ()
        assert [info.id for info in other.documents()] == ["cuisine.md", "irak.txt"]
        assert other.document("irak.txt").text == TEXTS["irak.txt"]


def test_an_import_that_fails_leaves_no_index_of_another_encoder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "index.parquet"
    monkeypatch.setattr("qa.transfer._canonical", lambda row: b"changed on the way")
    export_store(store, file)
    monkeypatch.undo()
    with pytest.raises(InputError, match="not what was exported"):
        import_store(file, tmp_path / "other")
    with Store.open(tmp_path / "other", "another", 32) as other:
        assert other.documents() == ()


@pytest.mark.parametrize("place", [".", "/", "docs", "store/store.sqlite", "a" * 300, "file/x"])
def test_a_place_where_no_export_can_be_is_an_error(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="choose another place"):
        export_store(store, Path(place))
    assert {path.name for path in tmp_path.iterdir()} == before
    assert store.check(deep=True) == []


def test_a_file_of_the_person_s_beside_the_export_stays(store: Store, tmp_path: Path) -> None:
    (tmp_path / "index.parquet.part").write_text("precious")
    export_store(store, tmp_path / "index.parquet")
    assert (tmp_path / "index.parquet.part").read_text() == "precious"
