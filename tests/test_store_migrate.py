"""Indexes of earlier formats become one of the present format and answer as before."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from qa.errors import IndexMismatch, QAError
from qa.reembed import reembed
from qa.store import Label, Store
from qa.words import stems
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


FORMAT_2 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, sentences INTEGER NOT NULL, chars INTEGER NOT NULL,
    notices TEXT NOT NULL, root TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, recipe TEXT NOT NULL,
    first_row INTEGER NOT NULL UNIQUE, findable INTEGER NOT NULL, text_sha256 TEXT NOT NULL,
    pages TEXT NOT NULL, text TEXT NOT NULL
);
CREATE TABLE sentences (
    row INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
    heading INTEGER NOT NULL, context TEXT NOT NULL, check_sum INTEGER NOT NULL
);
CREATE TABLE vectors (row INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE labels (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, metadata TEXT NOT NULL
);
CREATE TABLE segments (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, name TEXT NOT NULL, exact INTEGER NOT NULL,
    vectors INTEGER NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL
);
CREATE TABLE dead (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, vectors INTEGER NOT NULL);
CREATE INDEX places ON documents (first_row, sentences, findable, id);
CREATE VIRTUAL TABLE terms USING fts5 (bare, context, tokenize = "ascii tokenchars '.'");
"""


def terms(text: str) -> str:
    return " ".join(stems(text))


def write_format_2(folder: Path) -> None:
    """Write what the second version wrote: gaps in the rows, checksums, a file, a dead span."""
    folder.mkdir()
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.executescript(FORMAT_2)
        meta = {"format": 2, "encoder_id": ENCODER.id, "dim": 64, "created": "2026-11-01"}
        more = {"updated": "2026-11-02", "generation": 7, "next_row": 60}
        for key, value in {**meta, **more}.items():
            raw.execute("INSERT INTO meta VALUES (?, ?)", (key, str(value)))
        for first, document_id, lines in ((40, "irak.txt", IRAK), (50, "cuisine.txt", CUISINE)):
            document, sentences = made(document_id, lines)
            findable = sum(not one.heading for one in sentences)
            values = (document.id, document.title, len(sentences), len(document.text), "[]")
            digest = hashlib.sha256(document.text.encode()).hexdigest()
            raw.execute(
                f"INSERT INTO documents VALUES ({', '.join('?' * 16)})",
                (
                    *(*values, "/d", f"/d/{document_id}", "ab", 1, 2, "r", first, findable),
                    *(digest, "[]", document.text),
                ),
            )
            for row, one in enumerate(sentences, first):
                place = f"{one.start} {one.end} {int(one.heading)}"
                written = zlib.crc32(f"{place}\0navire\0{one.text}".encode())
                values = (row, one.start, one.end, int(one.heading), "navire", written)
                raw.execute("INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?)", values)
                if one.heading:
                    continue
                vector = ENCODER.encode([one.text])[0].astype("<f2").tobytes()
                vector += zlib.crc32(vector).to_bytes(4, "little")
                raw.execute("INSERT INTO vectors VALUES (?, ?)", (row, vector))
                found = (row, terms(one.text), terms("navire"))
                raw.execute("INSERT INTO terms (rowid, bare, context) VALUES (?, ?, ?)", found)
        raw.execute("INSERT INTO labels VALUES (51, 'n1', '{}')")
        raw.execute("INSERT INTO segments VALUES (1, 30, 'vectors-00000007-1.faiss', 1, 9, 9, 'x')")
        raw.execute("INSERT INTO dead VALUES (1, 30, 9)")
    raw.close()
    (folder / "vectors-00000007-1.faiss").write_bytes(b"old index")


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
                raw.execute(
                    "INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?, ?)", (*place, "navire")
                )
                if one.heading:
                    continue
                vector = ENCODER.encode([one.text])[0].astype("<f4").tobytes()
                raw.execute("INSERT INTO vectors VALUES (?, ?)", (row, vector))
                found = (row, terms(one.text), terms("navire"))
                raw.execute("INSERT INTO terms (rowid, bare, context) VALUES (?, ?, ?)", found)
        raw.execute("INSERT INTO labels VALUES (?, 'n1', '{}')", (row,))
        raw.execute("INSERT INTO vector_files VALUES ('vectors-00000007.faiss', 7, 4, 9, 'x')")
    raw.close()
    (folder / "vectors-00000007.faiss").write_bytes(b"old index")


@pytest.fixture(params=[write_format_1, write_format_2], ids=["format 1", "format 2"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    write: Callable[[Path], None] = request.param
    write(tmp_path / "store")
    return tmp_path / "store"


def format_of(folder: Path) -> str:
    with sqlite3.connect(folder / "store.sqlite") as raw:
        [(value,)] = raw.execute("SELECT value FROM meta WHERE key = 'format'").fetchall()
    raw.close()
    return str(value)


def test_an_index_of_an_earlier_format_is_taken_over_whole(folder: Path, tmp_path: Path) -> None:
    with (
        reopened(folder) as store,
        Store.open(tmp_path / "new", ENCODER.id, ENCODER.dim) as anew,
    ):
        put(anew, "irak.txt", IRAK)
        put(anew, "cuisine.txt", CUISINE)
        assert store.manifest.format == 4
        assert store.check(deep=True) == []
        assert [info.id for info in store.documents()] == ["cuisine.txt", "irak.txt"]
        for document_id in ("irak.txt", "cuisine.txt"):
            assert store.document(document_id) == anew.document(document_id)
            assert store.sentences(document_id) == anew.sentences(document_id)
        assert sorted(dense(store, "soldats", 9)) == sorted(dense(anew, "soldats", 9))
        assert [text for text, _ in lexical(store, "soldats")] == [IRAK[2], IRAK[1]]
        assert len(lexical(store, "navire", 9)) == 4
        rows = store.rows(["cuisine.txt"])
        assert store.labels_at(rows) == {rows[1]: Label("n1", "{}")}
        found = [
            row for document_id in ("irak.txt", "cuisine.txt") for row in store.rows([document_id])
        ]
        assert set(store.contexts_at(found[1:]).values()) == {"navire"}
        assert list(folder.glob("vectors*")) == []
        put(store, "irak.txt", CUISINE)
        assert store.check(deep=True) == []
        tables = {name for (name,) in store._db.run("SELECT name FROM sqlite_master")}
        assert not {name for name in tables if name.startswith("old_")}
        assert store._db.run("PRAGMA freelist_count") == [(0,)]
    with reopened(folder) as again:
        assert again.size() == 4


def test_an_interrupted_migration_leaves_the_index_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = format_of(folder)
    with monkeypatch.context() as patch:
        patch.setattr("qa.store.contents.pack", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reopened(folder)
    assert format_of(folder) == before
    with sqlite3.connect(folder / "store.sqlite") as raw:
        assert raw.execute("SELECT count(*) FROM sentences").fetchone() == (5,)
    raw.close()
    with reopened(folder) as store:
        assert store.size() == 4


def test_a_migration_waits_for_another_writer(folder: Path) -> None:
    with sqlite3.connect(folder / "store.sqlite", isolation_level=None) as raw:
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(QAError, match="another program is writing"):
            Store.open(folder, ENCODER.id, ENCODER.dim, wait_s=0.1)
    raw.close()


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE sentences SET last = last - 1 WHERE row = 41",
        "UPDATE sentences SET context = 'x' WHERE row = 41",
        "DELETE FROM sentences WHERE row = 42",
        "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE row = 42",
        "UPDATE vectors SET vector = x'00' WHERE row = 42",
        "DELETE FROM vectors WHERE row = 42",
    ],
)
def test_what_is_damaged_in_an_earlier_format_is_an_error_that_can_be_mended(
    tmp_path: Path, harm: str
) -> None:
    folder = tmp_path / "store"
    write_format_2(folder)
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.execute(harm)
    raw.close()
    with reopened(folder) as store:
        assert any("'irak.txt'" in said for said in store.check(deep=True))
        with pytest.raises(IndexMismatch, match=r"'irak\.txt'.*--reembed"):
            store.sentences("irak.txt")
        assert [one.text for one in store.sentences("cuisine.txt")] == list(CUISINE)
    reembed(folder, ENCODER)
    with reopened(folder) as store:
        assert store.check(deep=True) == []
        assert dense(store, IRAK[1], 1)[0][0] == IRAK[1]


@pytest.mark.parametrize(
    "harm", ["text = replace(text, '2500', '9999')", "pages = '['", "notices = x'00'"]
)
def test_a_damaged_text_stays_damaged_in_the_present_format(folder: Path, harm: str) -> None:
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.execute(f"UPDATE documents SET {harm} WHERE id = 'irak.txt'")
    raw.close()
    with reopened(folder) as store:
        with pytest.raises(IndexMismatch, match="--rebuild"):
            store.document("irak.txt")
        assert any("'irak.txt'" in said for said in store.check(deep=True))
        assert store.document("cuisine.txt").text == "\n".join(CUISINE)


@pytest.mark.parametrize("harm", ["", "DELETE FROM terms_data WHERE id > 10;"])
def test_an_index_of_format_3_gets_its_sums_and_terms_of_its_texts(
    tmp_path: Path, harm: str
) -> None:
    folder = tmp_path / "third"
    with reopened(folder) as store:
        put(store, "irak.txt", IRAK)
        before = lexical(store, "soldats")
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.executescript(
            f"DROP TABLE term_sums; DELETE FROM meta WHERE key = 'documents_sum'; {harm}"
            f"UPDATE meta SET value = '3' WHERE key = 'format'"
        )
    raw.close()
    with reopened(folder) as again:
        assert again.manifest.format == 4
        assert lexical(again, "soldats") == before
        assert again.check(deep=True) == []
        put(again, "cuisine.txt", CUISINE)
        assert again.check(deep=True) == []
