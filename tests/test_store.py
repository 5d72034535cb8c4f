"""The store: commits, searches, damage, several readers and writers, and LlamaIndex's interface."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes import HashEncoder
from qa.chunks import make_chunks
from qa.documents import document_from_text
from qa.errors import IndexMismatch, IndexMissing, InputError, QAError
from qa.sentences import split_sentences
from qa.store import Origin, Scored, Store, erase, fuse, mean, sums
from qa.store.faults import translated
from qa.store.places import LINKED, Places
from qa.store.terms import index as indexed
from qa.types import Chunk, Document, Page, Sentence
from qa.words import stems

ENCODER = HashEncoder()
NOWHERE = Origin()
NO_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "?")
IRAK = (
    "Coalition",
    "Les États-Unis déploient environ 2500 soldats en Irak.",
    "Trois soldats américains ont été tués en Jordanie.",
)
CUISINE = ("Faites fondre le beurre doucement.", "Ajoutez trois œufs et la farine.")


def made(
    document_id: str, lines: Sequence[str], title: str = ""
) -> tuple[Document, tuple[Sentence, ...]]:
    """Return a document of one sentence a line; a line without a full stop is a heading."""
    text, sentences = "\n".join(lines), []
    for index, line in enumerate(lines):
        start = sum(len(before) + 1 for before in lines[:index])
        heading = not line.endswith(".")
        sentences.append(Sentence(document_id, index, start, start + len(line), line, heading))
    return Document(document_id, title or document_id, text), tuple(sentences)


def put(store: Store, document_id: str, lines: Sequence[str], origin: Origin = NOWHERE) -> None:
    document, sentences = made(document_id, lines)
    chunks = [Chunk(sentence, "") for sentence in sentences if not sentence.heading]
    vectors = ENCODER.encode([chunk.sentence.text for chunk in chunks])
    store.put(document, origin, sentences, chunks, vectors)


def dense(store: Store, question: str, top_k: int = 5, documents: Sequence[str] | None = None):
    [vector] = ENCODER.encode([question], query=True)
    return named(store, store.search_dense(vector, top_k, documents))


def lexical(store: Store, question: str, top_k: int = 5, documents: Sequence[str] | None = None):
    return named(store, store.search_lexical(stems(question), top_k, documents))


def named(store: Store, found: Scored) -> list[tuple[str, float]]:
    sentences = store.sentences_at([row for row, _ in found])
    return [(sentences[row].text, score) for row, score in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open(folder, ENCODER.id, ENCODER.dim) as opened:
        yield opened


@pytest.fixture
def filled(store: Store) -> Store:
    with store.writing():
        put(store, "irak.txt", IRAK)
        put(store, "cuisine.txt", CUISINE)
    return store


def reopened(folder: Path) -> Store:
    return Store.open(folder, ENCODER.id, ENCODER.dim)


# What goes in comes out


def test_document_and_sentences_come_back_as_they_were(store: Store) -> None:
    document, sentences = made("irak.txt", IRAK, "Irak")
    document = Document(
        document.id, document.title, document.text, (Page(1, 0, 9), Page(2, 9, 999)), ("cp1252",)
    )
    store.put(document, Origin(), sentences, [], np.empty((0, 64), np.float32))
    assert store.document("irak.txt") == document
    assert store.sentences("irak.txt") == sentences


def test_every_sentence_slices_out_of_its_document(filled: Store) -> None:
    for info in filled.documents():
        text = filled.document(info.id).text
        assert all(text[one.start : one.end] == one.text for one in filled.sentences(info.id))


def test_documents_are_listed_by_id_with_their_counts_and_origin(store: Store) -> None:
    origin = Origin("/docs", "/docs/irak.txt", "ab", 7, 8, "r1")
    put(store, "irak.txt", IRAK, origin)
    put(store, "cuisine.txt", CUISINE)
    cuisine, irak = store.documents()
    assert (cuisine.id, irak.id, irak.title) == ("cuisine.txt", "irak.txt", "irak.txt")
    assert (irak.sentences, irak.chars, irak.origin) == (3, len("\n".join(IRAK)), origin)
    assert (irak.root, irak.path) == ("/docs", "/docs/irak.txt")


def test_unknown_document_is_an_error_that_names_the_nearest(filled: Store) -> None:
    with pytest.raises(InputError, match=r"'irak\.tx'.*'irak\.txt'"):
        filled.document("irak.tx")


def test_headings_are_kept_but_never_found(filled: Store) -> None:
    assert filled.sentences("irak.txt")[0].heading
    assert filled.size() == 4
    assert lexical(filled, "coalition") == []
    assert "Coalition" not in [text for text, _ in dense(filled, "Coalition", 9)]


def test_unpaired_surrogate_is_refused_and_nothing_is_kept(store: Store) -> None:
    with pytest.raises(InputError, match="surrogate"):
        put(store, "bad.txt", ["a\ud800b."])
    assert store.documents() == ()
    assert store.generation == 0


def test_vectors_of_another_dimension_are_refused(store: Store) -> None:
    document, sentences = made("irak.txt", CUISINE)
    chunks = [Chunk(sentence, "") for sentence in sentences]
    with pytest.raises(IndexMismatch, match="64 dimensions"):
        store.put(document, Origin(), sentences, chunks, np.ones((2, 3), np.float32))


# Searches


def test_dense_search_ranks_by_cosine_and_scores_every_sentence_when_asked(filled: Store) -> None:
    found = dense(filled, IRAK[1], filled.size())
    assert found[0] == (IRAK[1], pytest.approx(1.0, abs=1e-4))
    assert len(found) == 4
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


def test_lexical_search_knows_stems_accents_elisions_and_numbers(filled: Store) -> None:
    assert lexical(filled, "l’Americaine, un SOLDAT")[0][0] == IRAK[2]
    assert [text for text, _ in lexical(filled, "oeuf")] == [CUISINE[1]]
    assert [text for text, _ in lexical(filled, "2 500")] == [IRAK[1]]
    assert all(score > 0 for _, score in lexical(filled, "soldats"))


def test_words_of_the_context_count_less_than_words_of_the_sentence(store: Store) -> None:
    document, sentences = made("a.txt", ["Le beurre fond.", "Le lait bout."])
    chunks = [Chunk(sentences[0], "Recettes."), Chunk(sentences[1], "Le beurre fond.")]
    store.put(document, Origin(), sentences, chunks, ENCODER.encode(["x", "y"]))
    (first, high), (second, low) = lexical(store, "beurre")
    assert (first, second) == ("Le beurre fond.", "Le lait bout.")
    assert high > low > 0


@pytest.mark.parametrize("question", ["", "le la les", "« ? »", '" OR terms : *', "NEAR(a b)"])
def test_questions_without_known_words_find_nothing_and_break_nothing(
    filled: Store, question: str
) -> None:
    assert lexical(filled, question) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
@example(['ﷺ ⑴ ½ « " OR »'])
@example(["2500¹ a_b c-d O'Brien ... '' \x00"])
def test_any_text_can_be_indexed_and_asked(lines: list[str]) -> None:
    lines = [line.translate(NO_SURROGATES).replace("\n", " ") + "." for line in lines]
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder), ENCODER.id, ENCODER.dim) as store,
    ):
        put(store, "a.txt", lines)
        assert all(bool(lexical(store, line, 9)) == bool(stems(line)) for line in lines)


def test_searches_stay_inside_the_documents_asked_for(filled: Store) -> None:
    assert {text for text, _ in dense(filled, "trois", 9, ["cuisine.txt"])} == set(CUISINE)
    assert [text for text, _ in lexical(filled, "trois", 9, ["cuisine.txt"])] == [CUISINE[1]]
    assert dense(filled, "trois", 9, []) == lexical(filled, "trois", 9, []) == []
    assert filled.size(["cuisine.txt", "none.txt"]) == 2


@pytest.mark.parametrize("asked", [["a.txt"], ["a.txt", "c.txt"]])
def test_a_word_is_as_rare_as_it_is_in_the_documents_asked_for(
    store: Store, tmp_path: Path, asked: list[str]
) -> None:
    texts = {
        "a.txt": ["Le soldat rouge marche.", "Le drapeau rouge flotte.", "Le soldat bleu dort."],
        "b.txt": ["Le drapeau bleu flotte."] * 40,  # outside, «soldat» is the rare word
        "c.txt": ["Le soldat vert mange.", "Le soldat gris chante."],
    }
    for document_id, sentences in texts.items():
        put(store, document_id, sentences)
    with Store.open(tmp_path / "alone", ENCODER.id, ENCODER.dim) as alone:
        for document_id in asked:
            put(alone, document_id, texts[document_id])
        for question in ("soldat drapeau", "drapeau bleu", "soldat rouge", "inconnu"):
            inside, expected = lexical(store, question, 9, asked), lexical(alone, question, 9)
            assert [text for text, _ in inside] == [text for text, _ in expected]
            assert [score for _, score in inside] == pytest.approx([s for _, s in expected])


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_an_index_that_keeps_sentences_and_contexts_whole(
    store: Store, seed: int
) -> None:
    rng = random.Random(seed)
    words = "soldat drapeau marche rouge bleu vert 1200 d'Irak aujourd’hui après-midi".split()  # noqa: SIM905
    plain = sqlite3.connect(":memory:")
    plain.execute(
        "CREATE VIRTUAL TABLE t USING fts5 (bare, context, tokenize = \"ascii tokenchars '.'\")"
    )
    for number in range(12):
        lines = [
            " ".join(rng.choices(words, k=rng.randrange(1, 9)))
            + rng.choice((".", " ?", ". 1\u00a0200."))
            for _ in range(rng.randrange(1, 12))
        ]
        lines.insert(rng.randrange(len(lines)), "# Le drapeau de la coalition")
        document = document_from_text("\n\n".join(lines), f"{number} rouge.md")
        sentences = split_sentences(document)
        chunks = make_chunks(document, sentences)
        first = max([0, *store.rows([info.id for info in store.documents()])]) + 1
        texts = [chunk.sentence.text for chunk in chunks]
        store.put(document, Origin(), sentences, chunks, ENCODER.encode(texts))
        for chunk in chunks:
            row = (
                first + chunk.sentence.index,
                *map(terms_of, (chunk.sentence.text, chunk.context)),
            )
            plain.execute("INSERT INTO t (rowid, bare, context) VALUES (?, ?, ?)", row)
    sql = "SELECT rowid, -bm25(t, 1.0, 0.35) FROM t WHERE t MATCH ?"
    for asked in (words[:1], words[:3], words[4:], ["drapeau", "inconnu"], ["coalition"]):
        wanted = sorted(set(stems(" ".join(asked))))
        expected = plain.execute(sql, (" OR ".join(f'"{one}"' for one in wanted),)).fetchall()
        found = list(store.search_lexical(wanted, 9999))
        assert dict(found) == pytest.approx(dict(expected))
        assert list(store.search_lexical(wanted, 5)) == found[:5]


def terms_of(text: str) -> str:
    return " ".join(stems(text))


def test_searching_with_two_threads_finds_the_same(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    [vector] = ENCODER.encode(["trois soldats"], query=True)
    wanted = stems("trois soldats")
    for documents in (None, ["irak.txt"], []):
        monkeypatch.setattr("qa.store.search._TOGETHER", 10**9)
        alone = [list(found) for found in filled.search(vector, wanted, 9, documents)]
        monkeypatch.setattr("qa.store.search._TOGETHER", 0)
        assert [list(found) for found in filled.search(vector, wanted, 9, documents)] == alone
    filled.close()
    with pytest.raises(QAError, match="closed"):
        filled.search(vector, wanted, 9)


def test_an_empty_store_answers_searches_with_nothing(store: Store) -> None:
    assert store.size() == 0
    assert dense(store, "soldats") == lexical(store, "soldats") == []


def test_scripts_without_spaces_are_found(store: Store) -> None:
    put(store, "ja.txt", ["日本の首都は東京です."])
    assert lexical(store, "首都はどこ")


def scored(found: dict[int, float]) -> Scored:
    return Scored(
        np.array(list(found), dtype=np.int64), np.array(list(found.values()), dtype=float)
    )


def test_fused_score_is_the_sum_of_z_scores() -> None:
    # Cosines .9 and .7: z = +1, -1. BM25 0 (not found) and 4: z = -1, +1, so both are even at 0.
    fused = fuse(scored({1: 0.9, 2: 0.7}), scored({2: 4.0}), size=2, top_k=2)
    assert dict(fused) == {1: pytest.approx(0.0), 2: pytest.approx(0.0)}
    assert not fuse(scored({}), scored({}), size=0, top_k=5)


def test_what_a_cut_search_left_out_counts_as_its_lowest_score() -> None:
    fused = dict(fuse(scored({1: 0.9, 2: 0.7}), scored({3: 4.0, 2: 1.0}), size=9, top_k=2))
    # Dense .9 .7 .7, lexical 1 1 4: the means of z are zero, and 1 and 3 are each best once.
    assert fused[1] == pytest.approx(fused[3]) == pytest.approx(2**0.5 - 2**-0.5)
    assert fused[2] == pytest.approx(-(2**0.5))


def test_a_mean_takes_the_lowest_score_of_a_search_for_what_it_lacks() -> None:
    assert dict(mean([scored({3: 1.0, 1: 0.5}), scored({2: 4.0, 1: 2.0}), scored({})])) == {
        1: pytest.approx(2.5 / 3),
        2: pytest.approx(4.5 / 3),
        3: pytest.approx(3.0 / 3),
    }


def test_the_best_are_best_first_and_equal_ones_by_row() -> None:
    found = scored({5: 1.0, 4: 2.0, 3: 1.0, 2: 0.5})
    assert list(found.best(2)) == [(4, 2.0), (3, 1.0)]
    assert list(found.best(9)) == [(4, 2.0), (3, 1.0), (5, 1.0), (2, 0.5)]
    assert list(found.leading(2)) == [(5, 1.0), (4, 2.0), (3, 1.0)]
    assert not found.best(0)
    assert found.at([2, 9, 4]) == [0.5, 0.0, 2.0]


# Changes


def test_putting_a_document_again_replaces_it(filled: Store) -> None:
    put(filled, "irak.txt", ["Deux avions ont décollé."])
    assert lexical(filled, "soldats") == []
    assert [text for text, _ in dense(filled, "avions", 9, ["irak.txt"])] == [
        "Deux avions ont décollé."
    ]
    assert filled.size() == 3
    assert filled.check(deep=True) == []


def test_a_removed_document_is_found_by_no_search(filled: Store) -> None:
    assert filled.remove(["irak.txt", "never.txt"]) == 1
    assert lexical(filled, "soldats") == []
    assert {text for text, _ in dense(filled, "soldats", 9)} == set(CUISINE)
    with pytest.raises(InputError):
        filled.document("irak.txt")
    assert filled.check(deep=True) == []


def test_a_batch_is_one_commit_and_an_empty_one_is_none(store: Store) -> None:
    with store.writing():
        put(store, "irak.txt", IRAK)
        put(store, "cuisine.txt", CUISINE)
        put(store, "irak.txt", IRAK[:2])
    assert store.generation == 1
    with store.writing():
        store.remove(["never.txt"])
    assert store.generation == 1
    assert store.size() == 3


def test_noting_where_a_document_comes_from_changes_no_search(filled: Store) -> None:
    before = filled.generation
    filled.touch("irak.txt", Origin("/new", "/new/irak.txt", "cd", 1, 2, "r2"))
    assert filled.generation == before
    assert next(info for info in filled.documents() if info.id == "irak.txt").root == "/new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_inside_a_batch_undoes_all_of_it(
    filled: Store, folder: Path, error: type[BaseException]
) -> None:
    before = dense(filled, "soldats", 9)

    def break_off() -> None:
        with filled.writing():
            filled.remove(["irak.txt"])
            put(filled, "neu.txt", ["Ein neuer Satz."])
            raise error

    with pytest.raises(error):
        break_off()
    assert dense(filled, "soldats", 9) == before
    assert [info.id for info in filled.documents()] == ["cuisine.txt", "irak.txt"]
    put(filled, "b.txt", ["Encore une phrase."])
    assert filled.check(deep=True) == []


def test_results_are_the_same_after_reopening(filled: Store, folder: Path) -> None:
    before = dense(filled, "soldats américains", 9), lexical(filled, "soldats américains", 9)
    filled.close()
    with reopened(folder) as again:
        assert (
            dense(again, "soldats américains", 9),
            lexical(again, "soldats américains", 9),
        ) == before


# Damage and full disks; those of vector files are in test_store_files.py


def test_a_file_that_is_no_database_is_an_error_that_says_how_to_repair(folder: Path) -> None:
    folder.mkdir()
    (folder / "store.sqlite").write_bytes(b"not a database at all" * 200)
    with pytest.raises(IndexMismatch, match=r"qa index --rebuild"):
        reopened(folder)


def damaged(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.executescript(sql)
    raw.close()


@pytest.mark.parametrize("readable", [True, False])
def test_a_text_that_was_changed_is_an_error_and_never_an_answer(
    filled: Store, folder: Path, readable: bool
) -> None:
    filled.close()
    text = "\n".join(IRAK).replace("2500", "9999") if readable else "zlib"
    content = zlib.compress(text.encode()) if readable else text.encode()
    damaged(folder, f"UPDATE documents SET text = x'{content.hex()}' WHERE id = 'irak.txt'")
    with reopened(folder) as again:
        assert again.check() == []
        assert "'irak.txt'" in again.check(deep=True)[0]
        with pytest.raises(IndexMismatch, match=r"'irak\.txt'.*qa index --rebuild"):
            again.document("irak.txt")
        with pytest.raises(IndexMismatch, match=r"'irak\.txt'"):
            lexical(again, "Jordanie")
        assert lexical(again, "beurre")


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE spans SET places = zeroblob(length(places)) WHERE document = 'irak.txt'",
        "UPDATE spans SET places = (SELECT places FROM spans WHERE document = 'cuisine.txt')",
        "UPDATE spans SET words = cast(x'01000200' || words AS BLOB) WHERE document = 'irak.txt'",
        "UPDATE spans SET words = x'' WHERE document = 'irak.txt'",
        "UPDATE spans SET first = first + 90, last = last + 90 WHERE document = 'irak.txt'",
        "UPDATE spans SET last = last + 1 WHERE document = 'irak.txt'",
        "UPDATE spans SET findable = findable + 1 WHERE document = 'irak.txt'",
        "UPDATE spans SET document = 'rien.txt' WHERE document = 'irak.txt'",
        "DELETE FROM spans WHERE document = 'irak.txt'",
    ],
)
def test_a_sentence_that_is_not_what_was_written_is_an_error(
    filled: Store, folder: Path, harm: str
) -> None:
    filled.close()
    damaged(folder, harm)
    with reopened(folder) as again:
        assert any("--reembed" in said for said in again.check(deep=True))
        with pytest.raises(IndexMismatch, match=r"'irak\.txt'.*qa index --reembed"):
            again.sentences("irak.txt")


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE vectors SET block = zeroblob(length(block)) WHERE row = 1",
        "UPDATE vectors SET block = x'00' WHERE row = 1",
        "UPDATE vectors SET row = 2 WHERE row = 1; DELETE FROM vectors WHERE row = 2",
        "DELETE FROM vectors WHERE row = 1",
    ],
)
def test_a_vector_that_is_not_what_was_written_is_an_error(
    filled: Store, folder: Path, harm: str
) -> None:
    filled.close()
    damaged(folder, harm)
    with reopened(folder) as again:
        assert any("'irak.txt'" in said for said in again.check(deep=True))
        with pytest.raises(IndexMismatch, match=r"'irak\.txt'.*vector"):
            dense(again, "soldats")


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE spans SET terms_sum = terms_sum + 1 WHERE document = 'irak.txt'",
        "DELETE FROM vectors WHERE row = 1",
    ],
)
def test_deep_check_finds_wrong_sums_and_lost_vectors(
    filled: Store, folder: Path, harm: str
) -> None:
    filled.close()
    damaged(folder, harm)
    with reopened(folder) as again:
        assert again.check(deep=True) != []


@pytest.mark.parametrize(
    "harm",
    [
        "INSERT INTO terms (terms, rowid, stems) VALUES ('delete', 2, 'soldat')",
        "INSERT INTO terms (rowid, stems) VALUES (2, 'beurr')",
        "DELETE FROM terms_data WHERE id > 10",
        "DELETE FROM terms_idx",
        "UPDATE terms_idx SET term = CAST('0zzz' AS BLOB)",
        "UPDATE terms_data SET block = CAST(replace(block, 'soldat', 'soldit') AS BLOB)",
        "UPDATE terms_data SET block = replace(hex(block), '7', '8') WHERE id > 10",
        "UPDATE terms_data SET block = zeroblob(length(block)) WHERE id = 10",
        "DELETE FROM term_sums",
    ],
)
def test_damaged_search_terms_refuse_to_search_and_are_made_again_at_the_next_opening(
    filled: Store, folder: Path, harm: str
) -> None:
    asked = "soldats beurre"
    before = lexical(filled, asked)
    filled.close()
    damaged(folder, harm)
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")  # so that opening may not mend
        with reopened(folder) as again:
            with pytest.raises(IndexMismatch, match=r"search terms.*--reembed"):
                lexical(again, asked)
            assert any("search terms" in said for said in again.check())
        writer.execute("ROLLBACK")
    with reopened(folder) as again:
        assert lexical(again, asked) == before
        assert again.check(deep=True) == []


def test_search_terms_of_a_damaged_text_stay_refused(filled: Store, folder: Path) -> None:
    filled.close()
    damaged(folder, "DELETE FROM terms_data WHERE id > 10")
    damaged(folder, "UPDATE documents SET text = zeroblob(9) WHERE id = 'irak.txt'")
    with reopened(folder) as again:
        with pytest.raises(IndexMismatch, match="search terms"):
            lexical(again, "soldats")
        assert again.sentences("cuisine.txt")


def test_a_document_that_went_missing_is_an_error(filled: Store, folder: Path) -> None:
    filled.close()
    damaged(folder, "DELETE FROM spans WHERE document = 'irak.txt'")
    with reopened(folder) as again:
        for search in (dense, lexical):
            with pytest.raises(IndexMismatch, match="documents are missing"):
                search(again, "soldats")
        assert any("documents" in said for said in again.check())


def test_no_row_is_given_twice_whatever_became_of_the_number(filled: Store, folder: Path) -> None:
    filled.close()
    damaged(folder, "UPDATE meta SET value = '2' WHERE key = 'next_row'")
    with reopened(folder) as again:
        put(again, "third.txt", ["Le troisième texte."])
        assert again.check(deep=True) == []


@pytest.mark.parametrize("merging", [4, 16])
def test_the_sums_of_search_terms_follow_every_commit(
    store: Store, folder: Path, merging: int
) -> None:
    store._db.run("INSERT INTO terms (terms, rank) VALUES ('pgsz', 64)")  # many small blocks
    store._db.run("INSERT INTO terms (terms, rank) VALUES ('automerge', ?)", min(merging, 8))
    store._db.run("INSERT INTO terms (terms, rank) VALUES ('crisismerge', ?)", merging)
    rng = random.Random(merging)
    for number in range(120):
        words = [f"mot{rng.randrange(3000)}" for _ in range(rng.randrange(1, 120))]
        put(store, f"{rng.randrange(12)}.txt", [f"Un {word} de plus." for word in words])
        if number % 7 == 0:
            store.remove([f"{rng.randrange(12)}.txt"])
        assert sums.terms_are_whole(store._db), number
        assert sums.documents_are_whole(store._db), number


def test_a_full_disk_is_an_error_and_the_index_stays_as_it_was(filled: Store) -> None:
    before = dense(filled, "soldats", 9), filled.generation
    pages = filled._db.run("PRAGMA page_count")[0][0]
    filled._db.run(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(QAError, match="no space"):
        put(filled, "big.txt", [f"Phrase numéro {number} du grand texte." for number in range(400)])
    assert (dense(filled, "soldats", 9), filled.generation) == before
    assert filled.check(deep=True) == []
    filled._db.run("PRAGMA max_page_count = 1000000")
    put(filled, "big.txt", ["Maintenant il y a de la place."])
    assert filled.size(["big.txt"]) == 1


# Manifest


def test_another_encoder_is_refused_naming_both_and_the_repair(filled: Store, folder: Path) -> None:
    with pytest.raises(IndexMismatch, match=r"'hash-64' \(64.*'other' \(32.*qa index --reembed"):
        Store.open(folder, "other", 32)
    with pytest.raises(IndexMismatch):
        Store.open(folder, ENCODER.id, 32)


def test_a_newer_format_is_refused(filled: Store, folder: Path) -> None:
    filled.close()
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    with pytest.raises(IndexMismatch, match=r"format 99.*newer.*qa index --rebuild"):
        reopened(folder)


def test_a_damaged_manifest_is_refused(filled: Store, folder: Path) -> None:
    filled.close()
    with sqlite3.connect(folder / "store.sqlite") as raw:
        raw.execute("DELETE FROM meta WHERE key = 'dim'")
    with pytest.raises(IndexMismatch, match="manifest"):
        reopened(folder)


def test_opening_without_an_encoder_takes_what_is_there_and_makes_nothing(
    filled: Store, folder: Path, tmp_path: Path
) -> None:
    with Store.open(folder) as seen:
        assert (seen.manifest.encoder_id, seen.manifest.dim) == (ENCODER.id, 64)
    with pytest.raises(IndexMissing, match="qa index"):
        Store.open(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(QAError, match="--store"):
        Store.open(tmp_path / "file" / "store", ENCODER.id, ENCODER.dim)


def test_erasing_deletes_the_index_and_nothing_else(filled: Store, folder: Path) -> None:
    (folder / "mine.txt").write_text("mine")
    filled.prefixes.mkdir()
    filled.close()
    erase(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    with Store.open(folder, "other", 32) as anew:
        assert anew.documents() == ()


def test_a_store_is_asked_after_the_working_directory_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open(Path("store"), ENCODER.id, ENCODER.dim) as store:
        put(store, "irak.txt", CUISINE)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir("elsewhere")
        assert [info.id for info in store.documents()] == ["irak.txt"]


def test_a_store_that_is_closed_waits_for_a_statement_of_another_thread(filled: Store) -> None:
    inside, go = threading.Event(), threading.Event()

    def slowly(value: int) -> int:
        inside.set()
        assert go.wait(30)
        return value

    failures: list[QAError] = []

    def read() -> None:
        database = filled._db
        database._connection().create_function("slowly", 1, slowly)
        assert database.run("SELECT slowly(7)") == [(7,)]
        try:
            database.run("SELECT 1")
        except QAError as error:
            failures.append(error)

    reader = threading.Thread(target=read)
    closer = threading.Thread(target=filled.close)
    reader.start()
    assert inside.wait(30)
    closer.start()
    closer.join(0.2)
    assert closer.is_alive()
    go.set()
    for thread in (reader, closer):
        thread.join(30)
    assert "is closed" in str(failures[0])


def test_a_closed_store_says_so(filled: Store) -> None:
    filled.close()
    filled.close()
    with pytest.raises(QAError, match="closed"):
        filled.documents()


# Several at once


def test_another_store_on_the_folder_sees_each_commit(filled: Store, folder: Path) -> None:
    with reopened(folder) as reader:
        assert reader.size() == 4
        put(filled, "c.txt", ["Un drone a survolé la base."])
        assert (
            dense(reader, "Un drone a survolé la base.", 1)[0][0] == "Un drone a survolé la base."
        )
        filled.remove(["c.txt"])
        assert reader.size() == 4


def test_inside_reading_everything_comes_from_one_commit(filled: Store, folder: Path) -> None:
    with reopened(folder) as reader, reader.reading():
        before = dense(reader, "soldats", 9), lexical(reader, "soldats")
        put(filled, "irak.txt", ["Tout a changé."])
        put(filled, "c.txt", ["Des soldats, encore."])
        assert (dense(reader, "soldats", 9), lexical(reader, "soldats")) == before
        assert reader.document("irak.txt").text == "\n".join(IRAK)


def test_inside_reading_a_first_search_after_a_commit_is_still_of_the_old_one(
    filled: Store, folder: Path
) -> None:
    with reopened(folder) as reader, reader.reading():
        assert reader.generation == 1
        filled.remove(["irak.txt"])
        assert {text for text, _ in dense(reader, "soldats", 9)} == {*IRAK[1:], *CUISINE}


def test_a_second_writer_waits_a_while_and_then_gets_a_clear_error(
    filled: Store, folder: Path
) -> None:
    with Store.open(folder, ENCODER.id, ENCODER.dim, wait_s=0.2) as second:
        with filled.writing(), pytest.raises(QAError, match="another program is writing"):
            put(second, "c.txt", ["Une phrase."])
        put(second, "c.txt", ["Une phrase."])
    assert filled.size() == 5


def test_an_index_that_is_being_made_anew_is_not_called_damaged(folder: Path) -> None:
    with (
        pytest.raises(QAError, match="is being made anew; try again in a moment"),
        translated(folder),
    ):
        sqlite3.connect(":memory:").execute("SELECT id FROM documents")


def test_nothing_is_read_from_or_added_to_an_index_that_was_replaced(
    filled: Store, folder: Path
) -> None:
    def replaced() -> AbstractContextManager[object]:
        return pytest.raises(QAError, match=r"replaced or removed.*start this one again")

    os.rename(folder, folder.with_name("aside"))
    with replaced():
        filled.documents()
    with reopened(folder) as anew:
        put(anew, "irak.txt", CUISINE)
        with replaced():
            put(filled, "c.txt", ["Une phrase."])
        with replaced(), ThreadPoolExecutor() as pool:
            pool.submit(filled.document, "irak.txt").result()


def test_what_is_being_added_while_the_index_is_replaced_is_an_error(
    filled: Store, folder: Path
) -> None:
    def add() -> None:
        with filled.writing():
            put(filled, "c.txt", ["Une phrase."])
            os.rename(folder, folder.with_name("aside"))

    with pytest.raises(QAError, match="replaced or removed"):
        add()


def test_an_index_that_can_only_be_read_is_followed(
    filled: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.close()
    monkeypatch.setattr("qa.store.database._is_read_only", lambda _: True)
    with Store.open(folder) as reader:
        monkeypatch.undo()
        assert lexical(reader, "drone") == []
        with reopened(folder) as writer:
            put(writer, "c.txt", ["Un drone a survolé la base."] * 2000)
            assert len(lexical(reader, "drone", 1)) == 1
            writer.remove(["c.txt", "irak.txt"])
        assert [info.id for info in reader.documents()] == ["cuisine.txt"]
        assert lexical(reader, "drone") == []
        assert reader.check(deep=True) == []


def test_threads_read_and_write_one_store(store: Store) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for turn in range(5):
                put(store, f"{name}.txt", [f"Le soldat {name} marche {turn}.", "Il pleut."])
                found = lexical(store, "soldat", 50, [f"{name}.txt"])
                assert found[0][0] == f"Le soldat {name} marche {turn}."
                assert dense(store, found[0][0], 1, [f"{name}.txt"])[0][0] == found[0][0]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c", "d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.size() == 8
    assert store.check(deep=True) == []


@pytest.mark.parametrize(
    "path",
    sorted((Path(__file__).parents[1] / "eval" / "documents").glob("*"))[:6],
    ids=lambda path: path.name,
)
def test_the_terms_of_a_context_are_those_of_its_whole_text(store: Store, path: Path) -> None:
    document = document_from_text(path.read_text("utf-8"), path.name)
    sentences = split_sentences(document)
    chunks = make_chunks(document, sentences)
    contexts = {chunk.sentence.index: chunk.context for chunk in chunks}
    places = Places.of(sentences, contexts)
    found = indexed(sentences, chunks, places)
    terms = dict(found.terms)
    for chunk in chunks:
        place = chunk.sentence.index
        assert places.context(document, place) == chunk.context
        own, head = told(terms.get(place, ""))
        linked = bool(found.words[place] & LINKED)
        before = told(terms.get(place - 1, ""))[0] if linked else []
        assert own == sorted(stems(chunk.sentence.text))
        assert sorted([*head, *before]) == sorted(stems(chunk.context))
        assert int(found.words[place]) & 0x7FFF == 1 + len(own) + len(head) + len(before)
    assert (found.words > 0).sum() == len(chunks)


def told(terms: str) -> tuple[list[str], list[str]]:
    """Return the stems of a sentence and those of the head of its context."""
    found = sorted(terms.split(), key=lambda term: term.split(":")[-1])
    stems_of = [term.split(":")[-1] for term in found]
    is_head = [term.startswith(":") or "::" in term for term in found]
    own = [stem for stem, of_head in zip(stems_of, is_head, strict=True) if not of_head]
    return own, [stem for stem, of_head in zip(stems_of, is_head, strict=True) if of_head]


def test_of_words_that_stand_in_too_many_sentences_the_rarest_are_searched_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "a.txt", [f"Le soldat numéro {number} marche." for number in range(30)])
    put(store, "b.txt", ["Le soldat et le drapeau.", "Un drapeau."])
    assert len(lexical(store, "soldat drapeau", 99)) == 32
    monkeypatch.setattr("qa.store.search._MATCHES", 10)
    assert {text for text, _ in lexical(store, "soldat drapeau", 99)} == {
        "Le soldat et le drapeau.",
        "Un drapeau.",
    }
    assert len(lexical(store, "soldat", 99)) == 31
    assert lexical(store, "inconnu", 99) == []
    with store.writing():
        assert len(lexical(store, "drapeau", 99)) == 2


def test_where_documents_are_is_read_without_their_texts(filled: Store) -> None:
    queries: list[str] = []
    filled._db._connection().set_trace_callback(queries.append)
    put(filled, "irak.txt", CUISINE)
    lexical(filled, "beurre")
    dense(filled, "beurre")
    filled._db._connection().set_trace_callback(None)
    scans = [sql for sql in queries if "FROM documents" in sql]
    assert scans
    assert all("WHERE id =" in sql for sql in scans)
