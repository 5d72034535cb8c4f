import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import ScriptedModel
from qa.llm.choose import Choice
from qa.llm.prefixes import SavedPrefixes
from qa.models import Reading
from qa.store import Store, prefix_owner
from test_store import ENCODER
from test_store import put as put_document

KEY, OTHER, THIRD = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "prefixes"


def opened(folder: Path, limit_bytes: int = 1000) -> SavedPrefixes:
    saved = SavedPrefixes.open(folder, limit_bytes)
    assert saved is not None
    return saved


def put(saved: SavedPrefixes, key: str, content: bytes, used_at: float | None = None) -> None:
    saved.save(key, lambda name: (saved.folder / name).write_bytes(content))
    if used_at is not None:
        os.utime(saved.folder / saved.file_name(key), (used_at, used_at))


def keys(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.bin")}


def test_a_saved_prefix_is_found_by_another_opening_of_the_folder(folder):
    put(opened(folder), KEY, b"cache of one document")
    assert opened(folder).find(KEY)
    assert not opened(folder).find(OTHER)


def test_nothing_half_written_is_left_beside_the_two_files(folder):
    put(opened(folder), KEY, b"cache")
    assert sorted(path.name for path in folder.iterdir()) == [f"{KEY}.bin", f"{KEY}.json"]


@pytest.mark.parametrize("place", [0, 10, -1])
def test_one_flipped_bit_makes_it_damaged_and_deletes_it(folder, place):
    put(opened(folder), KEY, b"cache of one document")
    file = folder / f"{KEY}.bin"
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    assert not opened(folder).find(KEY)
    assert list(folder.iterdir()) == []


def test_a_shortened_file_is_damaged(folder):
    put(opened(folder), KEY, b"cache of one document")
    os.truncate(folder / f"{KEY}.bin", 5)
    assert not opened(folder).find(KEY)


@pytest.mark.parametrize("sidecar", [None, "", "{", "[]", '{"format": 1}'])
def test_a_file_without_a_whole_sidecar_is_not_used(folder, sidecar):
    put(opened(folder), KEY, b"cache")
    path = folder / f"{KEY}.json"
    path.unlink() if sidecar is None else path.write_text(sidecar)
    assert not opened(folder).find(KEY)


@pytest.mark.parametrize(("field", "value"), [("format", 0), ("key", OTHER)])
def test_a_file_of_another_format_or_key_is_not_used(folder, field, value):
    put(opened(folder), KEY, b"cache")
    path = folder / f"{KEY}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    assert not opened(folder).find(KEY)


def test_a_damaged_file_is_written_anew(folder):
    saved = opened(folder)
    put(saved, KEY, b"cache")
    (folder / f"{KEY}.bin").write_bytes(b"cachf")
    assert not saved.find(KEY)
    put(saved, KEY, b"cache")
    assert saved.find(KEY)


def test_the_least_recently_used_are_deleted_beyond_the_limit(folder):
    saved = opened(folder, limit_bytes=1000)
    put(saved, KEY, b"k" * 400, used_at=100)
    put(saved, OTHER, b"o" * 400, used_at=200)
    assert saved.find(KEY)  # now the most recently used
    put(saved, THIRD, b"t" * 400)
    assert keys(folder) == {KEY, THIRD}
    assert {path.stem for path in folder.glob("*.json")} == {KEY, THIRD}


def test_one_that_is_larger_than_the_limit_is_not_kept_and_costs_no_other(folder):
    saved = opened(folder, limit_bytes=1000)
    put(saved, KEY, b"k" * 400)
    put(saved, OTHER, b"o" * 1001)
    assert keys(folder) == {KEY}
    assert len(list(folder.iterdir())) == 2


def test_a_limit_of_nothing_saves_nothing(folder):
    assert SavedPrefixes.open(folder, 0) is None
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert SavedPrefixes.open(tmp_path / "file" / "prefixes", 1000) is None
    assert "cannot be saved" in caplog.text


def test_a_file_that_came_out_short_is_an_error_and_not_kept(folder):
    saved = opened(folder)

    def write(name: str) -> int:
        (saved.folder / name).write_bytes(b"half")
        return 8

    with pytest.raises(OSError, match="disk full"):
        saved.save(KEY, write)
    assert list(folder.iterdir()) == []


def test_a_writer_that_fails_leaves_the_earlier_file(folder):
    saved = opened(folder)
    put(saved, KEY, b"cache")

    def write(name: str) -> int:
        (saved.folder / name).write_bytes(b"ca")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        saved.save(KEY, write)
    assert saved.find(KEY)
    assert len(list(folder.iterdir())) == 2


def test_what_an_interrupted_process_left_is_deleted_an_hour_later(folder):
    saved = opened(folder)
    (folder / f"{OTHER}.77.part").write_bytes(b"half")
    os.utime(folder / f"{OTHER}.77.part", (1, 1))
    (folder / f"{THIRD}.78.part").write_bytes(b"being written now")
    put(saved, KEY, b"cache")
    assert {path.name for path in folder.glob("*.part")} == {f"{THIRD}.78.part"}


# Deleted with their document


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", ENCODER.id, ENCODER.dim) as opened:
        put_document(opened, "irak.txt", ["Trois soldats sont à Bagdad."])
        put_document(opened, "cuisine.txt", ["Le beurre fond."])
        yield opened


def save_for(store: Store, key: str, document_id: str) -> None:
    owner = prefix_owner(store.document(document_id)) if document_id else ""
    saved = opened(store.prefixes)
    saved.save(key, lambda name: (saved.folder / name).write_bytes(b"cache"), owner)


@pytest.mark.parametrize("changed", [None, ["Deux soldats sont à Bagdad."]])
def test_what_was_saved_of_a_document_goes_when_it_is_removed_or_changed(store, changed):
    save_for(store, KEY, "irak.txt")
    save_for(store, OTHER, "cuisine.txt")
    save_for(store, THIRD, "")  # examples, of no document
    if changed:
        put_document(store, "irak.txt", changed)
    else:
        store.remove(["irak.txt"])
    assert keys(store.prefixes) == {OTHER, THIRD}
    assert {path.stem for path in store.prefixes.glob("*.json")} == {OTHER, THIRD}
    assert opened(store.prefixes).find(OTHER)


def test_a_document_put_again_as_it_was_keeps_what_was_saved_of_it(store):
    save_for(store, KEY, "irak.txt")
    put_document(store, "irak.txt", ["Trois soldats sont à Bagdad."])
    assert keys(store.prefixes) == {KEY}


def test_an_undone_removal_deletes_nothing(store):
    save_for(store, KEY, "irak.txt")

    def fail() -> None:
        with store.writing():
            store.remove(["irak.txt"])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert keys(store.prefixes) == {KEY}


def test_what_a_crash_left_of_a_removed_document_goes_at_the_next_opening(store):
    save_for(store, KEY, "irak.txt")
    left = {path: path.read_bytes() for path in store.prefixes.iterdir()}
    store.remove(["irak.txt"])
    for path, content in left.items():
        path.write_bytes(content)
    with Store.open(store.folder) as again:
        assert keys(again.prefixes) == set()


def test_what_the_model_reads_of_a_document_is_saved_as_its_own(store):
    model = ScriptedModel()
    Reading(Choice(model, "scripted"), store).warm(store.documents())
    assert model.owners == [prefix_owner(store.document(one.id)) for one in store.documents()]
