"""Files → store: skipped when unchanged, replaced when changed, removed when gone."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes import HashEncoder
from make_files import zipped
from qa import ingest
from qa.documents import Limits, Parser, Source
from qa.errors import InputError
from qa.ingest import Report, sync
from qa.retrieve import retrieve
from qa.store import Store

LONG_AGO_NS = 1_600_000_000_000_000_000
IRAK = "Trois soldats américains ont été tués. Les pourparlers avaient débuté en janvier."
CUISINE = "Faites fondre le beurre. Ajoutez trois œufs."


@pytest.fixture
def encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture
def store(tmp_path: Path, encoder: HashEncoder) -> Iterator[Store]:
    with Store.open(tmp_path / "store", encoder.id, encoder.dim) as opened:
        yield opened


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    write(folder / "irak.txt", IRAK)
    write(folder / "cuisine.txt", CUISINE)
    return folder


def write(path: Path, text: str, mtime_ns: int = LONG_AGO_NS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(mtime_ns, mtime_ns))


def run(store: Store, encoder: HashEncoder, *paths: Path) -> Report:
    return sync(paths, store, encoder, limits=Limits(file_bytes=10_000))


def ids(store: Store) -> list[str]:
    return [info.id for info in store.documents()]


def test_new_files_are_added_with_all_their_sentences(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    report = run(store, encoder, docs)
    assert report == Report(added=("cuisine.txt", "irak.txt"), sentences=4)
    assert store.document("irak.txt").text == IRAK
    hits = retrieve("combien de soldats tués", store, encoder, top_k=1)
    assert hits[0].sentence.text == "Trois soldats américains ont été tués."
    assert store.check(deep=True) == []


def test_unchanged_files_are_neither_read_nor_encoded_nor_committed(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    run(store, encoder, docs)
    encoder.batches.clear()
    # The bytes differ but size and time do not: only reading the file could tell.
    write(docs / "irak.txt", IRAK.replace("Trois", "Troix"))
    report = run(store, encoder, docs)
    assert report == Report(unchanged=("cuisine.txt", "irak.txt"))
    assert (encoder.batches, store.generation) == ([], 1)


def test_a_file_with_a_new_time_and_the_same_bytes_is_not_encoded(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    run(store, encoder, docs)
    encoder.batches.clear()
    write(docs / "irak.txt", IRAK, LONG_AGO_NS + 10**9)
    assert run(store, encoder, docs).unchanged == ("cuisine.txt", "irak.txt")
    assert encoder.batches == []


def test_a_file_changed_just_now_is_compared_by_its_bytes(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    now = (docs.stat().st_mtime_ns // 10**9 + 1) * 10**9
    write(docs / "irak.txt", "Il y a 10 chars.", now)
    run(store, encoder, docs)
    write(docs / "irak.txt", "Il y a 99 chars.", now)
    assert run(store, encoder, docs).updated == ("irak.txt",)


def test_a_changed_file_replaces_its_document_alone(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    run(store, encoder, docs)
    encoder.batches.clear()
    write(docs / "irak.txt", "Deux avions ont décollé.")
    report = run(store, encoder, docs)
    assert report == Report(updated=("irak.txt",), unchanged=("cuisine.txt",), sentences=1)
    assert store.document("irak.txt").text == "Deux avions ont décollé."
    assert not any("beurre" in text for text in encoder.texts)


def test_a_file_that_is_gone_is_removed_and_other_roots_stay(
    store: Store, encoder: HashEncoder, docs: Path, tmp_path: Path
) -> None:
    write(tmp_path / "other" / "loi.txt", "La loi est la loi.")
    run(store, encoder, docs)
    run(store, encoder, tmp_path / "other")
    (docs / "irak.txt").unlink()
    (tmp_path / "other" / "loi.txt").unlink()
    report = run(store, encoder, docs)
    assert report == Report(removed=("irak.txt",), unchanged=("cuisine.txt",))
    assert ids(store) == ["cuisine.txt", "loi.txt"]
    assert run(store, encoder, docs, tmp_path / "other").removed == ("loi.txt",)


def test_one_file_given_by_name_leaves_its_neighbours_alone(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    run(store, encoder, docs)
    report = run(store, encoder, docs / "irak.txt")
    assert report == Report(unchanged=("irak.txt",))
    assert ids(store) == ["cuisine.txt", "irak.txt"]


def test_a_renamed_file_keeps_no_old_document(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    run(store, encoder, docs)
    (docs / "irak.txt").rename(docs / "bagdad.txt")
    report = run(store, encoder, docs)
    assert (report.added, report.removed) == (("bagdad.txt",), ("irak.txt",))


def test_one_file_is_one_document_whichever_folder_it_was_reached_by(
    store: Store, encoder: HashEncoder, tmp_path: Path
) -> None:
    write(tmp_path / "docs" / "sub" / "a.txt", IRAK)
    run(store, encoder, tmp_path / "docs" / "sub")
    assert ids(store) == ["a.txt"]
    run(store, encoder, tmp_path / "docs")
    assert ids(store) == ["sub/a.txt"]


def test_two_files_of_one_id_do_not_overwrite_each_other(
    store: Store, encoder: HashEncoder, docs: Path, tmp_path: Path
) -> None:
    write(tmp_path / "other" / "irak.txt", "Une autre phrase.")
    run(store, encoder, docs)
    report = run(store, encoder, tmp_path / "other")
    [(path, message)] = report.failed
    assert path.endswith("other/irak.txt")
    assert "rename" in message
    assert store.document("irak.txt").text == IRAK
    both = run(store, encoder, docs, tmp_path / "other")
    assert (both.failed, len(ids(store))) == ((), 3)
    assert {store.document(one).text for one in ids(store)} == {IRAK, CUISINE, "Une autre phrase."}


def test_a_moved_folder_takes_its_documents_along(
    store: Store, encoder: HashEncoder, docs: Path, tmp_path: Path
) -> None:
    run(store, encoder, docs)
    encoder.batches.clear()
    docs.rename(tmp_path / "moved")
    report = run(store, encoder, tmp_path / "moved")
    assert (report.unchanged, report.failed) == (("cuisine.txt", "irak.txt"), ())
    assert encoder.batches == []
    assert {info.root for info in store.documents()} == {str(tmp_path / "moved")}


def test_a_failing_file_is_reported_and_the_others_go_on(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    write(docs / "empty.txt", "")
    write(docs / "large.txt", "x" * 20_000)
    (docs / "binary.txt").write_bytes(bytes(range(32)) * 9)
    report = run(store, encoder, docs)
    assert report.added == ("cuisine.txt", "irak.txt")
    assert [Path(path).name for path, _ in report.failed] == [
        "binary.txt",
        "empty.txt",
        "large.txt",
    ]


def test_a_file_that_fails_after_it_was_indexed_keeps_its_version(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    run(store, encoder, docs)
    write(docs / "irak.txt", "   \n")
    report = run(store, encoder, docs)
    [(_, message)] = report.failed
    assert "earlier version stays" in message
    assert (report.removed, store.document("irak.txt").text) == ((), IRAK)


def test_a_missing_path_is_an_error_and_changes_nothing(
    store: Store, encoder: HashEncoder, docs: Path, tmp_path: Path
) -> None:
    run(store, encoder, docs)
    with pytest.raises(InputError, match="nowhere"):
        run(store, encoder, docs, tmp_path / "nowhere")
    assert ids(store) == ["cuisine.txt", "irak.txt"]


def test_an_archive_is_kept_in_step_member_by_member(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    archive = docs / "a.zip"
    archive.write_bytes(zipped({"irak.txt": IRAK, "x/cuisine.md": CUISINE, "gone.txt": "Adieu."}))
    report = run(store, encoder, docs)
    inside = ("a.zip/gone.txt", "a.zip/irak.txt", "a.zip/x/cuisine.md")
    assert report.added == (*inside, "cuisine.txt", "irak.txt")
    assert store.document("a.zip/irak.txt").text == IRAK
    encoder.batches.clear()
    archive.write_bytes(zipped({"irak.txt": IRAK, "x/cuisine.md": "Faites fondre le sucre."}))
    report = run(store, encoder, docs)
    assert report.updated == ("a.zip/x/cuisine.md",)
    assert report.removed == ("a.zip/gone.txt",)
    assert "a.zip/irak.txt" in report.unchanged
    assert not any("soldats" in text for text in encoder.texts)
    archive.unlink()
    assert run(store, encoder, docs).removed == ("a.zip/irak.txt", "a.zip/x/cuisine.md")
    archive.write_bytes(zipped({"irak.txt": IRAK}))
    assert run(store, encoder, docs).added == ("a.zip/irak.txt",)


def test_an_archive_that_breaks_keeps_what_was_read_of_it(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    archive = docs / "a.zip"
    archive.write_bytes(zipped({"irak.txt": IRAK}))
    run(store, encoder, docs)
    archive.write_bytes(archive.read_bytes()[:60])
    report = run(store, encoder, docs)
    [(path, message)] = report.failed
    assert Path(path).name == "a.zip"
    assert "earlier version stays" in message
    assert (report.removed, store.document("a.zip/irak.txt").text) == ((), IRAK)


def test_two_archives_of_one_name_do_not_overwrite_each_other(
    store: Store, encoder: HashEncoder, docs: Path, tmp_path: Path
) -> None:
    (docs / "a.zip").write_bytes(zipped({"irak.txt": IRAK}))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.zip").write_bytes(zipped({"irak.txt": CUISINE}))
    run(store, encoder, docs)
    report = run(store, encoder, tmp_path / "other")
    assert "rename" in report.failed[0][1]
    assert store.document("a.zip/irak.txt").text == IRAK


def test_a_document_of_a_folder_inside_goes_when_its_file_does(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    write(docs / "sub" / "a.txt", "Il pleut.")
    write(docs / ".hidden" / "b.txt", "Il neige.")
    run(store, encoder, docs)
    run(store, encoder, docs / "sub")
    run(store, encoder, docs / ".hidden")
    (docs / "sub" / "a.txt").unlink()
    assert run(store, encoder, docs).removed == ("a.txt",)
    (docs / ".hidden" / "b.txt").unlink()
    assert run(store, encoder, docs).removed == ("b.txt",)


def test_a_file_that_cannot_be_read_is_kept_under_the_id_it_had(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    write(docs / "sub" / "a.txt", "Il pleut.")
    run(store, encoder, docs / "sub")
    write(docs / "sub" / "a.txt", "")
    report = run(store, encoder, docs)
    assert (len(report.failed), report.removed) == (1, ())
    assert store.document("a.txt").text == "Il pleut."


def test_what_is_indexed_while_the_files_are_listed_is_not_taken_for_deleted(
    store: Store, encoder: HashEncoder, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = ingest.find_sources

    def another_indexes(paths: Sequence[Path], parser: Parser) -> tuple[Source, ...]:
        sources = listed(paths, parser)
        monkeypatch.undo()
        write(docs / "neuf.txt", "Il pleut.")
        run(store, encoder, docs)
        return sources

    monkeypatch.setattr(ingest, "find_sources", another_indexes)
    assert run(store, encoder, docs).removed == ()
    assert ids(store) == ["cuisine.txt", "irak.txt", "neuf.txt"]


@pytest.mark.parametrize("odd", [b"caf\xe9.txt", b"caf\xe9/a.txt"])
def test_a_name_that_is_not_utf8_is_reported_and_the_others_go_on(
    store: Store, encoder: HashEncoder, docs: Path, odd: bytes
) -> None:
    try:
        write(docs / os.fsdecode(odd), "Il pleut.")
    except OSError:
        pytest.skip("this file system takes no such name")
    report = run(store, encoder, docs)
    assert report.added == ("cuisine.txt", "irak.txt")
    [(path, message)] = report.failed
    assert "caf\ufffd" in path
    assert "is not UTF-8; rename it" in message
    assert run(store, encoder, docs / os.fsdecode(odd)).failed[0][0] == path


class InterruptedEncoder(HashEncoder):
    """Encodes so many batches, then is interrupted as by Ctrl-C."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def encode(self, texts, *, query=False, progress=None):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().encode(texts, query=query, progress=progress)


def test_an_interruption_keeps_what_was_committed_and_the_next_run_goes_on(
    store: Store, encoder: HashEncoder, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.ingest._COMMIT_SENTENCES", 1)
    with pytest.raises(KeyboardInterrupt):
        run(store, InterruptedEncoder(1), docs)
    assert ids(store) == ["cuisine.txt"]
    assert store.check(deep=True) == []
    report = run(store, encoder, docs)
    assert (report.added, report.unchanged) == (("irak.txt",), ("cuisine.txt",))


def test_documents_made_by_other_rules_are_read_again(
    store: Store, encoder: HashEncoder, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, encoder, docs)
    monkeypatch.setattr("qa.ingest._RECIPE", "splitter 999")
    assert run(store, encoder, docs).updated == ("cuisine.txt", "irak.txt")
    assert run(store, encoder, docs).unchanged == ("cuisine.txt", "irak.txt")


def test_a_heading_counts_as_it_does_in_the_list_of_documents(
    store: Store, encoder: HashEncoder, tmp_path: Path
) -> None:
    write(
        tmp_path / "bail.md", "# Le loyer\n\nIl est de 800 euros. Il est dû le premier du mois.\n"
    )
    said: list[str] = []
    limits = Limits(file_bytes=10_000)
    report = sync([tmp_path / "bail.md"], store, encoder, limits=limits, progress=said.append)
    assert report.sentences == sum(info.sentences for info in store.documents()) == 3
    assert said[-1] == "indexed 1 of 1 documents, 3 sentences"


def test_progress_tells_documents_and_sentences(
    store: Store, encoder: HashEncoder, docs: Path
) -> None:
    said: list[str] = []
    sync([docs], store, encoder, limits=Limits(file_bytes=10_000), progress=said.append)
    assert said[-1] == "indexed 2 of 2 documents, 4 sentences"


def test_progress_tells_the_rate_and_the_time_left_while_there_is_more(
    store: Store, encoder: HashEncoder, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qa.ingest._COMMIT_SENTENCES", 1)
    said: list[str] = []
    sync([docs], store, encoder, progress=said.append)
    assert re.fullmatch(
        r"indexed 1 of 2 documents, 2 sentences, \d+ sentences/s, about \d:\d\d:\d\d left", said[0]
    )


SENTENCES = (
    "Le soldat marche vers Bagdad.",
    "Trois soldats marchent.",
    "Il pleut sur Bagdad.",
    "La farine et le beurre.",
    "Les pourparlers ont débuté en 2024.",
    "Combien de soldats ?",
)
NAMES = ("a.txt", "b.txt", "sub/c.md", "sub/d.txt")
EDIT = st.tuples(
    st.sampled_from(NAMES), st.lists(st.sampled_from(SENTENCES), min_size=0, max_size=5)
)
QUESTIONS = ("soldats à Bagdad", "beurre", "2024 ?")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(EDIT, max_size=4), min_size=1, max_size=5))
def test_after_any_edits_searches_equal_those_of_a_fresh_build(
    rounds: list[list[tuple[str, list[str]]]],
) -> None:
    encoder = HashEncoder()
    with tempfile.TemporaryDirectory() as folder:
        docs = Path(folder) / "docs"
        docs.mkdir()
        with Store.open(Path(folder) / "grown", encoder.id, encoder.dim) as grown:
            for edits in rounds:
                for name, sentences in edits:
                    if sentences:
                        write(docs / name, " ".join(sentences), mtime_ns=0)
                    else:
                        (docs / name).unlink(missing_ok=True)
                # No time tells anything: files change within one tick.
                for path in docs.rglob("*.*"):
                    os.utime(path)
                run(grown, encoder, docs)
            with Store.open(Path(folder) / "fresh", encoder.id, encoder.dim) as fresh:
                run(fresh, encoder, docs)
                assert ids(grown) == ids(fresh)
                for question in QUESTIONS:
                    found = [retrieve(question, one, encoder, top_k=20) for one in (grown, fresh)]
                    assert [hit.sentence for hit in found[0]] == [hit.sentence for hit in found[1]]
                    for part in ("score", "dense", "lexical"):
                        one, other = ([getattr(hit, part) for hit in hits] for hits in found)
                        assert one == pytest.approx(other, abs=1e-5)
            assert grown.check(deep=True) == []
