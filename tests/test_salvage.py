"""A damaged SQLite file: what is whole in it is taken over, and the file is kept aside."""

from __future__ import annotations

import errno
import json
import os
import random
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import qa.embed
from fakes import HashEncoder
from qa import cli
from qa.errors import ModelUnavailable
from qa.ingest import sync
from qa.rescue import rescue
from qa.store import Label, Store, salvage
from test_store import ENCODER, lexical, made, put
from test_store_migrate import write_format_1, write_format_2

PAGE = 16_384


def lines(number: int) -> list[str]:
    rng = random.Random(number)
    return [f"Le navire {rng.random()} part du port {number}." for _ in range(200)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of an index of forty documents, none of which has a file."""
    folder = tmp_path / "store"
    with Store.open(folder, ENCODER.id, ENCODER.dim) as store:
        for number in range(40):
            put(store, f"d{number:02}.txt", lines(number))
    return folder


def harm(folder: Path, place: int, count: int) -> None:
    with (folder / "store.sqlite").open("r+b") as file:
        file.seek(place)
        file.write(random.Random(place).randbytes(count))


def texts(folder: Path) -> dict[str, str]:
    salvaged = salvage(folder)
    return {document.id: document.text for document, _ in salvaged.documents}


def expected(number: int) -> str:
    return made(f"d{number:02}.txt", lines(number))[0].text


def page_of_document_7(folder: Path) -> tuple[int, set[str]]:
    """Return where the page of its text begins in the file, and the documents that are on it."""
    file = (folder / "store.sqlite").read_bytes()
    with sqlite3.connect(folder / "store.sqlite") as db:
        found = dict(db.execute("SELECT id, text FROM documents"))
    db.close()
    page_of = {one: file.index(content) // PAGE * PAGE for one, content in found.items()}
    place = page_of["d07.txt"]
    return place, {one for one, page in page_of.items() if page == place}


def test_a_whole_index_and_none_are_not_damaged(folder: Path, tmp_path: Path) -> None:
    assert not salvage(folder).damaged
    assert not salvage(tmp_path / "none").damaged


@pytest.mark.parametrize("write", [write_format_1, write_format_2])
def test_a_whole_index_of_an_earlier_format_is_not_damaged(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "store")
    assert not salvage(tmp_path / "store").damaged


def test_a_destroyed_page_costs_the_documents_on_it_alone(folder: Path) -> None:
    place, on_page = page_of_document_7(folder)
    harm(folder, place, PAGE)
    found = texts(folder)
    assert len(on_page) < 10
    assert found.keys() == {f"d{number:02}.txt" for number in range(40)} - on_page
    assert all(text == expected(int(name[1:3])) for name, text in found.items())


def test_flipped_bits_anywhere_cost_few_documents_and_never_give_a_wrong_text(
    folder: Path,
) -> None:
    path = folder / "store.sqlite"
    content = path.read_bytes()
    rng = random.Random(4)
    salvaged = 0
    for _ in range(25):
        harmed = bytearray(content)
        for _ in range(20):
            harmed[rng.randrange(PAGE, len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(harmed)
        found = salvage(folder)
        if not found.damaged:  # only vectors or words are harmed, which verifying finds
            continue
        salvaged += 1
        for document, _ in found.documents:
            assert document.text == expected(int(document.id[1:3]))
        assert len(found.documents) >= 20
    assert salvaged > 5


@pytest.mark.parametrize("content", [b"", b"no database" * 999])
def test_a_file_that_is_no_database_has_nothing_to_take_over(folder: Path, content: bytes) -> None:
    (folder / "store.sqlite").write_bytes(content)
    for suffix in ("-wal", "-shm"):
        (folder / f"store.sqlite{suffix}").unlink(missing_ok=True)
    found = salvage(folder)
    assert found.damaged
    assert found.documents == ()


def test_an_index_without_its_manifest_is_damaged_and_all_of_its_text_is_whole(
    folder: Path,
) -> None:
    with sqlite3.connect(folder / "store.sqlite") as db:
        db.execute("DELETE FROM meta WHERE key = 'dim'")
    assert len(texts(folder)) == 40


def test_what_no_file_gives_is_taken_over_and_the_old_file_is_kept(
    folder: Path, tmp_path: Path
) -> None:
    harm(folder, page_of_document_7(folder)[0], PAGE)
    damaged = (folder / "store.sqlite").read_bytes()
    salvaged = salvage(folder)
    done = rescue(folder, salvaged, [tmp_path], ENCODER)
    assert done.aside is not None
    assert (done.aside / "store.sqlite").read_bytes() == damaged
    with Store.open(folder, ENCODER.id, ENCODER.dim) as store:
        assert store.check(deep=True) == []
        assert {info.id for info in store.documents()} == set(done.ids) == set(texts_of(salvaged))
        assert lexical(store, lines(3)[5])[0][0] == lines(3)[5]


def texts_of(salvaged: object) -> list[str]:
    return [document.id for document, _ in salvaged.documents]


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("qa.embed.load_encoder", "qa.assistant.load_encoder"):
        monkeypatch.setattr(name, lambda *_, **__: HashEncoder())


@pytest.mark.usefixtures("encoder")
def test_rebuilding_reads_the_files_again_and_keeps_what_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docs, usb = tmp_path / "docs", tmp_path / "usb"
    for number in range(20):
        place = usb if number % 2 else docs
        place.mkdir(exist_ok=True)
        (place / f"d{number:02}.txt").write_text(expected(number), "utf-8")
    monkeypatch.setenv("QA_DOCUMENTS", json.dumps([str(docs)]))
    command = ["index", "--store", str(tmp_path / "store"), "--backend", "extractive"]
    assert cli.main([*command, str(docs), str(usb)]) == cli.ANSWERED
    for number in range(1, 20, 2):
        (usb / f"d{number:02}.txt").unlink()
    place, on_page = page_of_document_7(tmp_path / "store")
    harm(tmp_path / "store", place, PAGE)
    assert cli.main([*command, "--rebuild"]) == cli.ANSWERED
    assert "damaged" in capsys.readouterr().err
    with Store.open(tmp_path / "store") as store:
        ids = {info.id for info in store.documents()}
        assert {f"d{number:02}.txt" for number in range(0, 20, 2)} <= ids
        assert len(ids) >= 20 - len(on_page)
        assert all(store.document(one).text == expected(int(one[1:3])) for one in ids)
    assert cli.main(command) == cli.ANSWERED  # and they stay
    with Store.open(tmp_path / "store") as store:
        assert {info.id for info in store.documents()} == ids


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an index of a file, a member of an archive and a text without a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QA_DOCUMENTS", '["docs"]')
    folder = tmp_path / "store"
    for place in ("docs", "other"):
        (tmp_path / place).mkdir()
    (tmp_path / "docs" / "a.txt").write_text("Il pleut.", "utf-8")
    with zipfile.ZipFile(tmp_path / "other" / "old.zip", "w") as archive:
        archive.writestr("b.txt", "Le vent souffle.")
    with Store.open(folder, ENCODER.id, ENCODER.dim) as store:
        sync([tmp_path / "docs"], store, ENCODER)
        sync([tmp_path / "other"], store, ENCODER)
        put(store, "only.txt", ["Un texte sans fichier."])
    return folder


ALL = ["a.txt", "old.zip/b.txt", "only.txt"]
REBUILD = ["index", "--rebuild", "--store", "store", "--backend", "extractive"]


def ids(folder: Path) -> list[str]:
    with Store.open(folder, ENCODER.id, ENCODER.dim) as store:
        assert store.check(deep=True) == []
        return [info.id for info in store.documents()]


@pytest.mark.usefixtures("encoder")
def test_rebuilding_a_whole_index_keeps_what_has_no_file_however_often(mixed: Path) -> None:
    for _ in range(2):
        assert cli.main(REBUILD) == cli.ANSWERED
        assert ids(mixed) == ALL
    assert not (mixed / "damaged").exists()
    (mixed.parent / "docs" / "a.txt").unlink()
    assert cli.main([*REBUILD, "docs"]) == cli.ANSWERED
    assert ids(mixed) == ["old.zip/b.txt", "only.txt"]


@pytest.mark.usefixtures("encoder")
def test_rebuilding_reads_what_has_not_changed_and_keeps_what_cannot_be_read(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mixed.parent / "docs" / "a.txt").write_bytes(b"")
    assert cli.main(REBUILD) == cli.BAD_INPUT
    shown = capsys.readouterr()
    assert "updated old.zip/b.txt" in shown.out
    assert "failed docs/a.txt: " in shown.err
    assert ids(mixed) == ALL


@pytest.mark.usefixtures("encoder")
def test_rebuilding_keeps_the_names_that_another_program_gave(mixed: Path) -> None:
    label = Label("node", '{"k": 1}')
    with Store.open(mixed) as store:
        store.label("only.txt", {0: label})
    assert cli.main(REBUILD) == cli.ANSWERED
    with Store.open(mixed) as store:
        assert list(store.labels_at(store.rows(["only.txt"])).values()) == [label]


def test_rebuilding_with_another_encoder_makes_all_vectors_anew(
    mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = HashEncoder("new-64")
    for name in ("qa.embed.load_encoder", "qa.assistant.load_encoder"):
        monkeypatch.setattr(name, lambda *_, **__: new)
    assert cli.main(REBUILD) == cli.ANSWERED
    with Store.open(mixed, new.id, new.dim) as store:
        assert store.check(deep=True) == []
        assert [info.id for info in store.documents()] == ALL


def run(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / "store.sqlite") as db:
        db.execute(sql)
    db.close()


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE spans",
        "DROP TABLE terms",
        "DROP TABLE term_sums",
        "DELETE FROM spans WHERE document = 'only.txt'",
        "UPDATE spans SET words = x'00' WHERE document = 'only.txt'",
        "UPDATE vectors SET block = zeroblob(length(block))",
    ],
)
def test_rebuilding_mends_whatever_is_missing_beside_the_texts(mixed: Path, sql: str) -> None:
    run(mixed, sql)
    assert cli.main(REBUILD) == cli.ANSWERED
    assert len(list(mixed.glob("damaged/*/store.sqlite"))) == 1
    assert ids(mixed) == ALL


@pytest.mark.usefixtures("encoder")
@pytest.mark.parametrize("sql", ["DROP TABLE spans", "SELECT 1"])
def test_rebuilding_a_document_whose_folder_may_not_be_entered_keeps_it(
    mixed: Path, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    run(mixed, sql)
    reached = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if "other" in path.parts:  # the tests may run as root, who may go everywhere
            raise PermissionError(errno.EACCES, "Permission denied")
        return reached(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    assert cli.main(REBUILD) == cli.ANSWERED
    assert ids(mixed) == ALL


@pytest.mark.usefixtures("encoder")
def test_rebuilding_without_the_language_model_leaves_the_index_as_it_is(
    mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(mixed, "DROP TABLE spans")
    before = (mixed / "store.sqlite").read_bytes()
    monkeypatch.setenv("QA_OLLAMA_URL", "http://127.0.0.1:9")
    assert cli.main([*REBUILD[:-1], "ollama"]) == cli.BAD_INPUT
    assert not (mixed / "damaged").exists()
    assert (mixed / "store.sqlite").read_bytes() == before


@pytest.mark.usefixtures("encoder")
def test_rebuilding_keeps_an_index_of_a_newer_version_aside(mixed: Path) -> None:
    with sqlite3.connect(mixed / "store.sqlite") as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    db.close()
    newer = (mixed / "store.sqlite").read_bytes()
    assert cli.main(REBUILD) == cli.ANSWERED
    assert [file.read_bytes() for file in mixed.glob("damaged/*/store.sqlite")] == [newer]
    assert ids(mixed) == ALL


@pytest.mark.usefixtures("encoder")
def test_rebuilding_keeps_a_log_without_its_database_aside(mixed: Path) -> None:
    (mixed / "store.sqlite").unlink()
    (mixed / "store.sqlite-wal").write_bytes(b"precious")
    assert cli.main(REBUILD) == cli.ANSWERED
    assert [file.read_bytes() for file in mixed.glob("damaged/*/*-wal")] == [b"precious"]
    assert ids(mixed) == ["a.txt"]


def test_rebuilding_without_an_encoder_leaves_the_index_as_it_is(
    mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModelUnavailable("there is no such encoder")

    monkeypatch.setattr(qa.embed, "load_encoder", missing)
    assert cli.main(REBUILD) == cli.BAD_INPUT
    assert ids(mixed) == ALL


def test_a_program_that_is_open_sees_the_index_that_was_made_anew(mixed: Path) -> None:
    with Store.open(mixed, ENCODER.id, ENCODER.dim) as open_before:
        assert [text for text, _ in lexical(open_before, "pleut")] == ["Il pleut."]
        (mixed.parent / "docs" / "a.txt").write_text("Il neige, il ne pleut plus.", "utf-8")
        docs = [mixed.parent / "docs"]
        rescue(mixed, salvage(mixed), docs, ENCODER)
        with Store.open(mixed, ENCODER.id, ENCODER.dim) as anew:
            sync(docs, anew, ENCODER)
        assert lexical(open_before, "pleut")[0][0] == "Il neige, il ne pleut plus."
        put(open_before, "upload.txt", ["Un texte de plus."])
    assert ids(mixed) == [*ALL, "upload.txt"]
