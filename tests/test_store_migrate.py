"""An index of format 1 becomes one of the present format and answers as before."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from qa.errors import QAError
from qa.store import Label, Store
from qa.store.records import terms
from test_store import CUISINE, ENCODER, IRAK, dense, lexical, made, put, reopened

FORMAT_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, sentences INTEGER NOT NULL, chars INTEGER NOT NULL,
    notices TEXT NOT NULL, root TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, recipe TEXT NOT NULL, text TEXT NOT NULL,
    text_sha256 TEXT NOT NULL, pages TEXT NOT NULL
);
CREATE TABLE sentences (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL REFERENCES documents (id),
    place INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, heading INTEGER NOT NULL,
    context TEXT NOT NULL, UNIQUE (document, place)
);
CREATE TABLE vectors (row INTEGER PRIMARY KEY REFERENCES sentences (row), vector BLOB NOT NULL);
CREATE TABLE labels (
    row INTEGER PRIMARY KEY REFERENCES sentences (row) ON DELETE CASCADE, id TEXT NOT NULL UNIQUE,
    metadata TEXT NOT NULL
);
CREATE TABLE vector_files (
    name TEXT PRIMARY KEY, generation INTEGER NOT NULL, vectors INTEGER NOT NULL,
    size INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE VIRTUAL TABLE terms USING fts5 (
    bare, context, detail = column, tokenize = "ascii tokenchars '.'"
);
"""


def write_format_1(folder: Path) -> None:
    """Write what the first version wrote: rows not in order, a heading, a label, a vector file."""
    folder.mkdir()
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.executescript(FORMAT_1)
        meta = {"format": 1, "encoder_id": ENCODER.id, "dim": 64, "created": "2026-11-01"}
        for key, value in {**meta, "updated": "2026-11-02", "generation": 7}.items():
            raw.execute("INSERT INTO meta VALUES (?, ?)", (key, str(value)))
        row = 40
        for document_id, lines in (("irak.txt", IRAK), ("cuisine.txt", CUISINE)):
            document, sentences = made(document_id, lines)
            values = (document.id, document.title, len(sentences), len(document.text), "[]")
            digest = hashlib.sha256(document.text.encode()).hexdigest()
            raw.execute(
                f"INSERT INTO documents VALUES ({', '.join('?' * 14)})",
                (*values, "/d", f"/d/{document_id}", "ab", 1, 2, "r", document.text, digest, "[]"),
            )
            for one in sentences:
                row -= 3
                place = (row, document_id, one.index, one.start, one.end, int(one.heading))
                raw.execute("INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?, ?)", (*place, "avant"))
                if one.heading:
                    continue
                vector = ENCODER.encode([one.text])[0].astype("<f4").tobytes()
                raw.execute("INSERT INTO vectors VALUES (?, ?)", (row, vector))
                found = (row, terms(one.text), terms("avant"))
                raw.execute("INSERT INTO terms (rowid, bare, context) VALUES (?, ?, ?)", found)
        raw.execute("INSERT INTO labels VALUES (?, 'n1', '{}')", (row,))
        raw.execute("INSERT INTO vector_files VALUES ('vectors-00000007.faiss', 7, 4, 9, 'x')")
    raw.close()
    (folder / "vectors-00000007.faiss").write_bytes(b"old index")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_format_1(tmp_path / "store")
    return tmp_path / "store"


def test_an_index_of_format_1_is_taken_over_whole(folder: Path, tmp_path: Path) -> None:
    with (
        reopened(folder) as store,
        Store.open(tmp_path / "new", ENCODER.id, ENCODER.dim) as anew,
    ):
        put(anew, "irak.txt", IRAK)
        put(anew, "cuisine.txt", CUISINE)
        assert store.manifest.format == 2
        assert store.check(deep=True) == []
        assert [info.id for info in store.documents()] == ["cuisine.txt", "irak.txt"]
        for document_id in ("irak.txt", "cuisine.txt"):
            assert store.document(document_id) == anew.document(document_id)
            assert store.sentences(document_id) == anew.sentences(document_id)
        assert sorted(dense(store, "soldats", 9)) == sorted(dense(anew, "soldats", 9))
        assert [text for text, _ in lexical(store, "soldats")] == [IRAK[2], IRAK[1]]
        rows = store.rows(["cuisine.txt"])
        assert store.labels_at(rows) == {rows[1]: Label("n1", "{}")}
        assert set(store.contexts_at(rows).values()) == {"avant"}
        assert list(folder.glob("vectors*")) == []
        put(store, "irak.txt", CUISINE)
        assert store.check(deep=True) == []
    with reopened(folder) as again:
        assert again.size() == 4


def test_an_interrupted_migration_leaves_the_index_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("qa.store.migrate.pack", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reopened(folder)
    with sqlite3.connect(folder / "store.sqlite") as raw:
        assert raw.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("1",)
        assert raw.execute("SELECT count(*) FROM vector_files").fetchone() == (1,)
    raw.close()
    with reopened(folder) as store:
        assert store.size() == 4


def test_a_migration_waits_for_another_writer(folder: Path) -> None:
    with sqlite3.connect(folder / "store.sqlite", isolation_level=None) as raw:
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(QAError, match="another program is writing"):
            Store.open(folder, ENCODER.id, ENCODER.dim, wait_s=0.1)
    raw.close()
