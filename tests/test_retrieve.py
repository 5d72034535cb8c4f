"""Retrieval: both searches fused, best first, in an order that only the texts decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from fakes import HashEncoder, ScriptedReranker
from qa.entail import open_reranker
from qa.retrieve import rerank, retrieve
from qa.store import Origin, Store
from qa.types import Chunk, Document, Sentence
from tiny_cross import tiny_cross_encoder

IRAK = (
    "Situation en Irak",
    "Les États-Unis déploient environ 2500 soldats en Irak et 900 en Syrie.",
    "Trois soldats américains ont été tués en Jordanie.",
    "Les pourparlers avaient débuté en janvier dernier.",
)
CUISINE = ("Faites fondre le beurre doucement.", "Ajoutez trois œufs.", "Servez tiède.")


@pytest.fixture
def encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture
def store(tmp_path: Path, encoder: HashEncoder) -> Iterator[Store]:
    with Store.open(tmp_path, encoder.id, encoder.dim) as opened:
        yield opened


def fill(store: Store, document_id: str, lines: Sequence[str]) -> None:
    sentences, start = [], 0
    for index, line in enumerate(lines):
        heading = not line.endswith(".")
        sentences.append(Sentence(document_id, index, start, start + len(line), line, heading))
        start += len(line) + 1
    chunks = [Chunk(sentence, "") for sentence in sentences if not sentence.heading]
    vectors = HashEncoder().encode([chunk.sentence.text for chunk in chunks])
    document = Document(document_id, document_id, "\n".join(lines))
    store.put(document, Origin(), sentences, chunks, vectors)


def texts(hits: Sequence[object]) -> list[str]:
    return [hit.sentence.text for hit in hits]


def test_the_best_sentence_comes_first_with_ranks_and_both_scores(
    store: Store, encoder: HashEncoder
) -> None:
    fill(store, "irak", IRAK)
    fill(store, "cuisine", CUISINE)
    hits = retrieve("Combien de soldats en Syrie ?", store, encoder, top_k=4)
    assert hits[0].sentence == store.sentences("irak")[1]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    [query], [passage] = (
        encoder.encode([text]) for text in ("Combien de soldats en Syrie ?", IRAK[1])
    )
    assert hits[0].dense == pytest.approx(float(np.dot(query, passage)), abs=1e-5)
    assert hits[0].lexical > 0


@pytest.mark.parametrize("question", ["", "  \n", "\u00a0"])
def test_an_empty_question_finds_nothing_and_encodes_nothing(
    store: Store, encoder: HashEncoder, question: str
) -> None:
    fill(store, "irak", IRAK)
    assert retrieve(question, store, encoder, top_k=3) == ()
    assert encoder.texts == []


def test_an_empty_store_and_an_empty_scope_find_nothing(store: Store, encoder: HashEncoder) -> None:
    assert retrieve("soldats", store, encoder, top_k=3) == ()
    fill(store, "irak", IRAK)
    assert retrieve("soldats", store, encoder, top_k=3, documents=[]) == ()
    assert retrieve("soldats", store, encoder, top_k=0) == ()


def test_headings_are_never_hits(store: Store, encoder: HashEncoder) -> None:
    fill(store, "irak", IRAK)
    hits = retrieve("Situation en Irak", store, encoder, top_k=10)
    assert sorted(texts(hits)) == sorted(IRAK[1:])


def test_hits_stay_inside_the_documents_asked_for(store: Store, encoder: HashEncoder) -> None:
    fill(store, "irak", IRAK)
    fill(store, "cuisine", CUISINE)
    hits = retrieve("trois soldats", store, encoder, top_k=10, documents={"cuisine"})
    assert sorted(texts(hits)) == sorted(CUISINE)
    assert hits[0].sentence.text == CUISINE[1]


def test_a_question_of_function_words_is_answered_by_the_dense_search_alone(
    store: Store, encoder: HashEncoder
) -> None:
    fill(store, "irak", IRAK)
    hits = retrieve("Et en ?", store, encoder, top_k=3)
    assert len(hits) == 3
    assert {hit.lexical for hit in hits} == {0.0}


def test_equal_sentences_are_ordered_by_document_and_place_not_by_time_of_indexing(
    store: Store, encoder: HashEncoder
) -> None:
    for document_id in ("c", "a", "b"):
        fill(store, document_id, ["Il pleut.", "Le soldat marche.", "Le soldat marche."])
    hits = retrieve("soldat", store, encoder, top_k=5)
    places = [(hit.sentence.document, hit.sentence.index) for hit in hits]
    assert places == [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("c", 1)]
    assert len({hit.score for hit in hits}) == 1


def test_a_follow_up_is_found_with_the_question_before_it(
    store: Store, encoder: HashEncoder
) -> None:
    fill(store, "irak", IRAK)
    fill(store, "cuisine", CUISINE)
    alone = retrieve("Et combien ?", store, encoder, top_k=1)
    encoder.batches.clear()
    joined = retrieve(
        *("Et combien ?", store, encoder),
        top_k=1,
        history_question="Où les pourparlers ont-ils débuté ?",
    )
    assert joined[0].sentence.text == IRAK[3] != alone[0].sentence.text
    assert encoder.batches == [
        (("Et combien ?", "Où les pourparlers ont-ils débuté ? Et combien ?"), True)
    ]


def test_in_a_large_store_the_best_sentence_is_still_first(
    store: Store, encoder: HashEncoder
) -> None:
    with store.writing():
        for part in range(3):
            filler = [f"Remarque {part * 800 + line} sur le temps." for line in range(800)]
            fill(store, f"{part}.txt", filler)
        fill(store, "irak", IRAK)
    hits = retrieve("soldats américains tués en Jordanie", store, encoder, top_k=3)
    assert hits[0].sentence.text == IRAK[2]
    assert hits == retrieve("soldats américains tués en Jordanie", store, encoder, top_k=3)


def test_a_reranker_changes_ranks_and_not_scores(store: Store, encoder: HashEncoder) -> None:
    fill(store, "irak", IRAK)
    hits = retrieve("Combien de soldats en Syrie ?", store, encoder, top_k=9)
    again = rerank("Combien ?", hits, (reranker := ScriptedReranker()), lambda s: s.text.upper())
    assert texts(again) == sorted(texts(hits), key=len)
    assert [hit.rank for hit in again] == [1, 2, 3]
    assert {(h.sentence, h.score, h.dense) for h in again} == {
        (h.sentence, h.score, h.dense) for h in hits
    }
    assert reranker.asked == [("Combien ?", tuple(text.upper() for text in texts(hits)))]


def test_what_a_reranker_does_not_read_stays_behind(store: Store, encoder: HashEncoder) -> None:
    fill(store, "many", [f"Le port {'a' * (n % 7)} ouvre {n}." for n in range(50)])
    hits = retrieve("Quand ouvre le port ?", store, encoder, top_k=50)
    again = rerank("Quand ?", hits, (reranker := ScriptedReranker()))
    assert len(reranker.asked[0][1]) == 32
    assert {hit.sentence for hit in again[:32]} == {hit.sentence for hit in hits[:32]}
    assert again[32:] == hits[32:]
    # Equal scores keep the order of retrieval.
    lengths: dict[int, list[int]] = {}
    before = {hit.sentence: hit.rank for hit in hits}
    for hit in again[:32]:
        lengths.setdefault(len(hit.sentence.text), []).append(before[hit.sentence])
    assert all(ranks == sorted(ranks) for ranks in lengths.values())


def test_a_real_cross_encoder_decides_the_order(
    store: Store, encoder: HashEncoder, tmp_path: Path
) -> None:
    fill(store, "maire", ("Le maire parle.", "Personne se tait.", "Le maire se tait."))
    model = open_reranker(str(tiny_cross_encoder(tmp_path / "reranker", ["LABEL_0"])))
    hits = retrieve("maire", store, encoder, top_k=3)
    again = rerank("maire", hits, model)
    scores = dict(zip(texts(hits), model.scores("maire", texts(hits)), strict=True))
    assert texts(again) == sorted(scores, key=lambda text: -scores[text])
    assert len(set(scores.values())) == 3
    assert rerank("maire", (), model) == ()
