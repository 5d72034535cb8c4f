"""Files of vectors: when they are written, that searches do not depend on them, damage, crashes."""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa.errors import IndexMismatch, QAError
from qa.reembed import reembed
from qa.store import Store, erase, seal
from qa.store.database import PAGE_BYTES
from test_store import ENCODER, dense, lexical, put, reopened

WORDS = "soldat marche vers ville drapeau rouge bleu vert pluie fine".split()  # noqa: SIM905


def lines(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=6)) + f" {seed} {at}." for at in range(count)]


def small(most: int = 0) -> None:
    """Make files of vectors of a few documents, where the store has more than ``most`` of them."""
    seal.SEALED_ROWS, seal.EXACT_VECTORS, seal.COARSE_VECTORS = 20, most, 16


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEALED_ROWS", "EXACT_VECTORS", "COARSE_VECTORS"):
        monkeypatch.setattr(seal, name, getattr(seal, name))
    small()


@pytest.fixture
def large() -> None:
    small(60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open(folder, ENCODER.id, ENCODER.dim) as opened:
        yield opened


def fill(store: Store, documents: int, size: int = 7) -> None:
    for number in range(documents):
        put(store, f"d{number}.txt", lines(number, size))


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("vectors*")}


def answers(store: Store) -> list[object]:
    return [
        (dense(store, " ".join(WORDS[at : at + 3]), 9), lexical(store, WORDS[at], 9))
        for at in range(5)
    ]


def fresh(folder: Path, documents: dict[str, list[str]]) -> list[object]:
    """Return the answers of a store built at once, without files."""
    with Store.open(folder, ENCODER.id, ENCODER.dim) as anew, anew.writing():
        for document_id, text in sorted(documents.items()):
            put(anew, document_id, text)
    with reopened(folder) as anew:
        return answers(anew)


def test_vectors_go_to_a_file_when_enough_have_gathered(store: Store, folder: Path) -> None:
    fill(store, 2)
    assert files(folder) == set()
    fill(store, 3)
    assert files(folder) == {"vectors-00000005-15.faiss"}  # d0, d1 and d2 as they are now
    assert store.check(deep=True) == []


def test_searches_do_not_depend_on_what_is_in_files(
    store: Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 9)
    store.remove(["d1.txt"])
    put(store, "d4.txt", lines(40, 3))
    assert len(files(folder)) == 3
    monkeypatch.setattr(seal, "SEALED_ROWS", 10_000)
    expected = {f"d{n}.txt": lines(n, 7) for n in range(9) if n not in (1, 4)}
    expected["d4.txt"] = lines(40, 3)
    found = answers(store)
    built = fresh(tmp_path / "anew", expected)
    for (ours, words), (theirs, their_words) in zip(found, built, strict=True):
        assert sorted(ours) == sorted(theirs)
        assert sorted(words) == sorted(their_words)


def test_a_file_of_which_half_is_deleted_is_written_again(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "SEALED_ROWS", 70)
    fill(store, 5, 14)
    before = files(folder)
    store.remove(["d0.txt", "d1.txt"])
    assert files(folder) == before
    store.remove(["d2.txt"])
    after = files(folder)
    assert len(after) == 1
    assert after != before
    assert store.check(deep=True) == []
    store.remove(["d3.txt"])
    assert {text for text, _ in dense(store, "soldat", 99)} == set(lines(4, 14))
    store.remove(["d4.txt"])
    assert files(folder) == set()
    assert store.check(deep=True) == []


def test_a_file_of_which_too_little_is_left_is_not_written_again(
    store: Store, folder: Path
) -> None:
    fill(store, 7)
    store.remove(["d0.txt", "d1.txt"])
    assert len(files(folder)) == 1
    left = {text for n in range(2, 7) for text in lines(n, 7)}
    assert {text for text, _ in dense(store, "soldat", 99)} == left
    assert store.check(deep=True) == []


@pytest.mark.usefixtures("large")
def test_only_a_large_store_has_files_and_its_scores_are_exact(
    store: Store, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 8)
    assert files(folder) == set()
    fill(store, 14)
    assert files(folder) != set()
    found = [dense(store, text, 10) for text in lines(3, 7)]
    monkeypatch.setattr(seal, "EXACT_VECTORS", 10_000)
    with Store.open(tmp_path / "exact", ENCODER.id, ENCODER.dim) as exact:
        fill(exact, 14)
        assert files(tmp_path / "exact") == set()
        for ours, text in zip(found, lines(3, 7), strict=True):
            theirs = dense(exact, text, 10)
            assert ours[0] == theirs[0]
            scores = dict(dense(exact, text, exact.size()))
            assert all(scores[sentence] == score for sentence, score in ours)
            assert len({one for one, _ in ours} & {one for one, _ in theirs}) >= 9


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("documents", [["d3.txt"], [f"d{n}.txt" for n in range(1, 13)]])
def test_a_search_in_some_documents_of_a_large_store_stays_inside_them(
    store: Store, folder: Path, documents: list[str]
) -> None:
    fill(store, 14)
    store.remove(["d5.txt"])
    assert files(folder) != set()
    left = {text for n in range(14) if f"d{n}.txt" in documents and n != 5 for text in lines(n, 7)}
    assert {text for text, _ in dense(store, "soldat", 500, documents)} == left
    assert {text for text, _ in dense(store, "soldat", 8, documents)} <= left
    assert not {text for text, _ in dense(store, "soldat", 500)} & set(lines(5, 7))


@pytest.mark.usefixtures("large")
def test_a_store_that_shrinks_scores_every_vector_again(store: Store, folder: Path) -> None:
    fill(store, 14)
    assert files(folder) != set()
    store.remove([f"d{n}.txt" for n in range(3, 13)])
    assert files(folder) == set()
    assert store.check(deep=True) == []


# Damage


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "swap"])
def test_a_harmed_vector_file_is_noticed_and_made_anew_from_sqlite(
    store: Store, folder: Path, harm: str
) -> None:
    fill(store, 6)
    before = answers(store)
    first, second = sorted(folder.glob("vectors*"))
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    if harm == "remove":
        first.unlink()
    elif harm == "swap":
        shutil.copyfile(second, first)
    else:
        first.write_bytes(content if harm == "flip" else content[:100])
    assert store.check() != []
    store.close()
    with reopened(folder) as again:
        assert answers(again) == before
        assert again.check(deep=True) == []


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_any_flipped_bit_of_a_vector_file_is_seen_at_opening(
    store: Store, folder: Path, place: int
) -> None:
    fill(store, 3)
    before = answers(store)
    store.close()
    [path] = folder.glob("vectors*")
    content = bytearray(path.read_bytes())
    content[place * len(content) // 100] ^= 1 << (place % 8)
    path.write_bytes(content)
    with reopened(folder) as again:
        assert answers(again) == before
        assert path.read_bytes() != content


def test_a_large_store_without_files_gets_them_at_opening(store: Store, folder: Path) -> None:
    small(10_000)
    fill(store, 6)
    before = answers(store)
    store.close()
    assert files(folder) == set()
    small()
    with reopened(folder) as again:
        assert len(files(folder)) == 2
        assert answers(again) == before
        assert again.check(deep=True) == []


def test_a_file_and_a_vector_that_are_both_damaged_are_an_error_that_reembedding_mends(
    store: Store, folder: Path
) -> None:
    fill(store, 6)
    before = answers(store)
    [(row,)] = store._db.run("SELECT min(row) FROM vectors")
    store._db.run("UPDATE vectors SET block = zeroblob(length(block)) WHERE row = ?", row)
    store.close()
    min(folder.glob("vectors*")).unlink()
    with reopened(folder) as again:
        assert again.sentences("d0.txt")
        with pytest.raises(IndexMismatch, match=r"'d0\.txt'.*--reembed"):
            answers(again)
        assert any("'d0.txt'" in said for said in again.check(deep=True))
    reembed(folder, ENCODER)
    with reopened(folder) as again:
        assert answers(again) == before
        assert again.check(deep=True) == []


def test_a_reader_whose_files_were_replaced_still_sees_its_commit(
    store: Store, folder: Path
) -> None:
    fill(store, 3)
    before = answers(store)
    with reopened(folder) as reader:
        reader._parts.clear()
        reader._newest = None
        with reader.reading():
            assert reader.size() == 21
            store.remove(["d0.txt", "d1.txt"])
            put(store, "d9.txt", lines(9, 30))
            assert answers(reader) == before
        assert reader.size() == 37


def test_flipped_bits_and_swapped_pages_in_sqlite_never_change_an_answer_silently(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    fill(store, 5)
    documents = [info.id for info in store.documents()]
    before = [store.sentences(one) for one in documents]
    found = answers(store)
    store.close()
    content = (folder / "store.sqlite").read_bytes()
    rng = random.Random(7)
    noticed = 0
    pages = range(PAGE_BYTES, len(content), PAGE_BYTES)
    for number in range(100):
        harmed = bytearray(content)
        if number % 5:
            harmed[rng.randrange(100, len(content))] ^= 1 << rng.randrange(8)
        else:  # a whole page that stood elsewhere
            there, other = rng.choice(pages), rng.choice(pages)
            harmed[there : there + PAGE_BYTES] = content[other : other + PAGE_BYTES]
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(folder, copy)
        (copy / "store.sqlite").write_bytes(harmed)
        try:
            with reopened(copy) as again:
                assert [again.sentences(one) for one in documents] == before
                assert answers(again) == found
        except QAError:
            noticed += 1
    assert noticed


# Full disks and folders that cannot be written


class FullDisk:
    """A file that takes some bytes and no more."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, content: bytes) -> int:
        self._file.write(content[:50])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_in_a_vector_file_undoes_the_commit(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 2)
    before = answers(store)
    with monkeypatch.context() as patch:
        real = Path.open
        patch.setattr(
            Path,
            "open",
            lambda path, mode="r", *rest: (
                FullDisk(path) if mode == "wb" else real(path, mode, *rest)
            ),
        )
        patch.setattr(
            FullDisk, "__init__", lambda self, path: setattr(self, "_file", real(path, "wb"))
        )
        with pytest.raises(QAError, match="no space is left"):
            put(store, "d2.txt", lines(2, 7))
    assert answers(store) == before
    assert store.generation == 2
    store.close()
    with reopened(folder) as again:
        assert files(folder) == set()
        put(again, "d2.txt", lines(2, 7))
        assert len(files(folder)) == 1
        assert again.check(deep=True) == []


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from qa.errors import IndexMismatch, QAError
from test_store_files import lines, put, reopened, seal, small
small()
with reopened(Path({folder!r})) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    try:
        for number in range(100, 400):
            put(store, f"d{{number}}.txt", lines(number, 40))
            print(number, flush=True)
    except QAError as error:
        print(error)
"""


@pytest.mark.parametrize("more", [20_000, 150_000])
def test_a_full_disk_is_an_error_and_what_was_committed_stays(
    store: Store, folder: Path, more: int
) -> None:
    fill(store, 2)
    store.close()
    limit = (folder / "store.sqlite").stat().st_size + more
    code = FULL.format(tests=str(Path(__file__).parent), folder=str(folder), limit=limit)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *numbers, said = done.stdout.splitlines()
    assert "has space" in said or "no space" in said, said
    with reopened(folder) as again:
        expected = {"d0.txt", "d1.txt", *(f"d{number}.txt" for number in numbers)}
        assert {info.id for info in again.documents()} == expected
        assert again.check(deep=True) == []
        put(again, "more.txt", lines(9, 30))


READ = """
import faiss, os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from qa.errors import IndexMismatch, QAError
from qa.words import stems
from test_store_files import answers, put, reopened
stems('Trois mots')  # reads its lists of words
if os.geteuid() == 0:  # root may write anywhere
    os.setuid(65534)
with reopened(Path({folder!r})) as store:
    print(store.read_only, store.size(), len(answers(store)), store.check(deep=True))
    try:
        put(store, "new.txt", ["Une phrase."])
    except QAError as error:
        print(error)
"""


def test_a_read_only_folder_answers_questions_and_refuses_changes() -> None:
    # Not under pytest's own folder, which another user may not enter.
    root = Path(tempfile.mkdtemp())
    folder = root / "store"
    try:
        root.chmod(0o755)
        with Store.open(folder, ENCODER.id, ENCODER.dim) as store:
            fill(store, 4)
        for path in (*folder.iterdir(), folder):
            path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) | 0o444)
        code = READ.format(tests=str(Path(__file__).parent), folder=str(folder))
        command = [sys.executable, "-B", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        first, second = done.stdout.splitlines()
        assert first == "True 28 5 []"
        assert "is read-only" in second
        assert "--store" in second
    finally:
        folder.chmod(0o755)
        shutil.rmtree(root)


# Crashes


CRASH = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_store_files import lines, put, reopened, seal, small
small()
save = seal.save
def save_and_die(part, span, folder, generation):
    if {early!r}:
        (folder / f"vectors-{{generation:08d}}-1.faiss.part").write_bytes(b"half")
    else:
        save(part, span, folder, generation)
    os._exit(9)
seal.save = save_and_die
with (store := reopened(Path({folder!r}))).writing():
    store.remove(["d0.txt"])
    put(store, "d9.txt", lines(9, 30))
"""


@pytest.mark.parametrize("early", [True, False], ids=["half a vector file", "before the commit"])
def test_a_process_killed_in_a_commit_leaves_the_state_before_it(
    store: Store, folder: Path, early: bool
) -> None:
    fill(store, 4)
    before = answers(store)
    store.close()
    code = CRASH.format(tests=str(Path(__file__).parent), folder=str(folder), early=early)
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert died.returncode == 9, died.stderr
    assert len(files(folder)) == 2
    with reopened(folder) as again:
        assert answers(again) == before
        assert again.check(deep=True) == []
        assert len(files(folder)) == 1


def test_few_documents_of_one_file_do_not_hide_the_best_of_another(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.store.vectors._FEWEST_PROPOSED", 1)
    put(store, "few.txt", lines(50, 2))
    fill(store, 6)
    asked = ["few.txt", "d3.txt", "d4.txt", "d5.txt"]
    for text in lines(4, 7):
        assert dense(store, text, 1, asked)[0][0] == text


# Lost files and a damaged log


def test_a_lost_database_is_an_error_and_not_an_empty_index(store: Store, folder: Path) -> None:
    fill(store, 4)
    store.close()
    (folder / "store.sqlite").unlink()
    with pytest.raises(IndexMismatch, match=r"missing.*vectors-.*--rebuild"):
        reopened(folder)
    with pytest.raises(IndexMismatch, match=r"missing.*vectors-.*--rebuild"):
        Store.open(folder)
    assert len(files(folder)) == 1
    erase(folder)
    with reopened(folder) as anew:
        assert anew.documents() == ()


LOGGED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_store_files import lines, put, reopened, seal, small
small()
store = reopened(Path({folder!r}))
for number in range(8):
    put(store, f"d{{number}}.txt", lines(number, 7))
os._exit(9)
"""


@pytest.fixture
def logged(folder: Path) -> Path:
    """Return an index of eight commits, all in SQLite's log, whose writer was killed."""
    code = LOGGED.format(tests=str(Path(__file__).parent), folder=str(folder))
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert died.returncode == 9, died.stderr
    assert (folder / "store.sqlite-wal").stat().st_size > 100_000
    return folder


def test_a_log_without_its_database_is_not_thrown_away(logged: Path) -> None:
    (logged / "store.sqlite").unlink()
    for path in logged.glob("vectors*"):
        path.unlink()
    with pytest.raises(IndexMismatch, match=r"missing.*-wal"):
        reopened(logged)
    assert (logged / "store.sqlite-wal").stat().st_size > 100_000


@pytest.mark.parametrize("harm", ["whole", "flip", "cut", "remove"])
def test_a_harmed_log_leaves_one_of_the_commits_or_an_error(
    logged: Path, tmp_path: Path, harm: str
) -> None:
    content = (logged / "store.sqlite-wal").read_bytes()
    for place in range(5, 100, 19):
        copy = tmp_path / f"copy-{place}"
        shutil.copytree(logged, copy)
        log = copy / "store.sqlite-wal"
        (copy / "store.sqlite-shm").unlink()
        at = place * len(content) // 100
        if harm == "remove":
            log.unlink()
        elif harm != "whole":
            flipped = content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :]
            log.write_bytes(flipped if harm == "flip" else content[:at])
        try:
            with reopened(copy) as again:
                ids = [info.id for info in again.documents()]
                assert ids == [f"d{number}.txt" for number in range(len(ids))]
                assert again.generation == len(ids)
                assert again.check(deep=True) == []
                assert (len(ids) == 8) is (harm == "whole")
                for number, one in enumerate(ids):
                    assert [s.text for s in again.sentences(one)] == lines(number, 7)
        except QAError:
            assert harm != "whole"
