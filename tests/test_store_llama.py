"""The store behind LlamaIndex's vector-store interface, driven by LlamaIndex itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.types import BasePydanticVectorStore
from llama_index.core.vector_stores.types import VectorStoreQueryMode as Mode

from fakes import HashEncoder
from qa.errors import InputError
from qa.ingest import sync
from qa.store import Store
from qa.store.llama import SentenceVectorStore

ENCODER = HashEncoder()
IRAK = "Les États-Unis déploient 2500 soldats en Irak. Trois soldats américains ont été tués."
CUISINE = "Faites fondre le beurre. Ajoutez trois œufs."


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", ENCODER.id, ENCODER.dim) as opened:
        yield opened


@pytest.fixture
def indexed(plain: Store, tmp_path: Path) -> SentenceVectorStore:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "irak.txt").write_text(IRAK, encoding="utf-8")
    (tmp_path / "docs" / "cuisine.txt").write_text(CUISINE, encoding="utf-8")
    sync([tmp_path / "docs"], plain, ENCODER)
    return SentenceVectorStore(plain)


@pytest.fixture
def empty(plain: Store) -> SentenceVectorStore:
    return SentenceVectorStore(plain)


def vector(text: str) -> list[float]:
    return ENCODER.encode([text])[0].tolist()


def node(node_id: str, text: str, document_id: str, start: int | None = None) -> TextNode:
    return TextNode(
        id_=node_id,
        text=text,
        embedding=vector(text),
        start_char_idx=start,
        end_char_idx=None if start is None else start + len(text),
        metadata={"author": "Anne"},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document_id)},
    )


def ask(store: SentenceVectorStore, text: str, mode: Mode = Mode.DEFAULT, **more: object):
    query = VectorStoreQuery(
        query_embedding=vector(text), query_str=text, mode=mode, similarity_top_k=3, **more
    )
    return store.query(query)


def only(key: str, value: object, operator: FilterOperator = FilterOperator.EQ) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


@pytest.mark.parametrize("mode", [Mode.DEFAULT, Mode.TEXT_SEARCH, Mode.HYBRID])
def test_every_mode_finds_the_sentence_with_its_place_in_the_document(
    indexed: SentenceVectorStore, mode: Mode
) -> None:
    result = ask(indexed, "soldats américains tués", mode)
    first = result.nodes[0]
    assert first.text == "Trois soldats américains ont été tués."
    assert IRAK[first.start_char_idx : first.end_char_idx] == first.text
    assert first.ref_doc_id == first.metadata["document"] == "irak.txt"
    assert first.metadata["index"] == 1
    assert result.ids[0] == f"irak.txt:{first.start_char_idx}-{first.end_char_idx}"
    assert result.similarities == sorted(result.similarities, reverse=True)


def test_alpha_is_the_dense_share_of_a_hybrid_search(indexed: SentenceVectorStore) -> None:
    by_words = ask(indexed, "trois", Mode.HYBRID, alpha=0.0)
    by_vector = ask(indexed, "trois", Mode.HYBRID, alpha=1.0)
    assert by_words.ids[:2] == ask(indexed, "trois", Mode.TEXT_SEARCH).ids[:2]
    assert by_vector.ids == ask(indexed, "trois").ids


@pytest.mark.parametrize(
    "more",
    [
        {"filters": only("document", "cuisine.txt")},
        {"filters": only("ref_doc_id", ["cuisine.txt", "x"], FilterOperator.IN)},
        {"filters": only("document", "irak.txt", FilterOperator.NE)},
        {"filters": only("title", "cuisine")},
        {"doc_ids": ["cuisine.txt"]},
    ],
)
@pytest.mark.parametrize("mode", [Mode.DEFAULT, Mode.TEXT_SEARCH, Mode.HYBRID])
def test_document_filters_hold_in_every_mode(
    indexed: SentenceVectorStore, mode: Mode, more: dict[str, object]
) -> None:
    result = ask(indexed, "trois soldats", mode, **more)
    assert {node.ref_doc_id for node in result.nodes} == {"cuisine.txt"}


def test_filters_combine(indexed: SentenceVectorStore) -> None:
    both = [*only("document", "irak.txt").filters, *only("document", "cuisine.txt").filters]
    either = MetadataFilters(filters=both, condition=FilterCondition.OR)
    neither = MetadataFilters(filters=both, condition=FilterCondition.NOT)
    assert len(indexed.get_nodes(filters=either)) == 4
    assert indexed.get_nodes(filters=MetadataFilters(filters=both)) == []
    assert indexed.get_nodes(filters=neither) == []
    assert ask(indexed, "trois", filters=neither).nodes == []


def test_what_is_not_supported_is_said(indexed: SentenceVectorStore) -> None:
    with pytest.raises(InputError, match="'author'"):
        ask(indexed, "trois", filters=only("author", "Anne"))
    with pytest.raises(InputError, match="'>'"):
        ask(indexed, "trois", filters=only("title", "a", FilterOperator.GT))
    with pytest.raises(InputError, match="'mmr'"):
        ask(indexed, "trois", Mode.MMR)
    with pytest.raises(InputError, match="query_embedding"):
        indexed.query(VectorStoreQuery(query_str="trois"))


def test_a_question_that_shares_no_word_finds_nothing_by_words(
    indexed: SentenceVectorStore,
) -> None:
    assert ask(indexed, "parlement", Mode.TEXT_SEARCH).nodes == []


def test_added_nodes_keep_their_ids_offsets_and_metadata(empty: SentenceVectorStore) -> None:
    text = "Il pleut. Le vent souffle."
    nodes = [node("n2", text[10:], "météo", 10), node("n1", text[:9], "météo", 0)]
    assert empty.add(nodes) == ["n2", "n1"]
    first, second = empty.get_nodes()
    assert (first.node_id, second.node_id) == ("n1", "n2")
    assert empty.client.document("météo").text == text
    assert (second.start_char_idx, second.text) == (10, "Le vent souffle.")
    assert second.metadata["author"] == "Anne"
    assert ask(empty, "Le vent souffle.").ids[0] == "n2"
    assert empty.client.check(deep=True) == []


def test_nodes_without_offsets_become_lines_of_their_document(empty: SentenceVectorStore) -> None:
    empty.add([node("n1", "Il pleut.", "météo")])
    empty.add([node("n2", "Le vent souffle.", "météo")])
    assert empty.client.document("météo").text == "Il pleut.\nLe vent souffle."
    assert [one.start_char_idx for one in empty.get_nodes()] == [0, 10]


def test_an_added_node_with_a_known_id_replaces_the_old_one(empty: SentenceVectorStore) -> None:
    empty.add([node("n1", "Il pleut.", "météo"), node("n2", "Il vente.", "météo")])
    empty.add([node("n1", "Il neige.", "météo")])
    assert sorted(one.text for one in empty.get_nodes()) == ["Il neige.", "Il vente."]
    assert len(ask(empty, "Il pleut.").nodes) == 2


def test_an_added_node_with_the_id_of_another_document_s_moves(empty: SentenceVectorStore) -> None:
    empty.add([node("n1", "Il pleut.", "météo"), node("n2", "Il vente.", "météo")])
    empty.add([node("n1", "Il neige.", "hiver")])
    assert {(one.ref_doc_id, one.node_id) for one in empty.get_nodes()} == {
        ("météo", "n2"),
        ("hiver", "n1"),
    }
    empty.add([node("n1", "Il neige.", "météo"), node("n3", "Il gèle.", "hiver")])
    assert {(one.ref_doc_id, one.node_id) for one in empty.get_nodes()} == {
        ("météo", "n1"),
        ("météo", "n2"),
        ("hiver", "n3"),
    }


def test_deleting_a_document_or_a_node_leaves_the_rest(indexed: SentenceVectorStore) -> None:
    indexed.delete("irak.txt")
    indexed.delete("never.txt")
    assert {one.ref_doc_id for one in indexed.get_nodes()} == {"cuisine.txt"}
    [butter, eggs] = indexed.get_nodes()
    indexed.delete_nodes([butter.node_id])
    assert [one.text for one in indexed.get_nodes()] == [eggs.text]
    assert ask(indexed, "beurre").ids == [eggs.node_id]
    indexed.clear()
    assert indexed.get_nodes() == []
    assert indexed.client.check(deep=True) == []


def test_node_ids_limit_a_search(indexed: SentenceVectorStore) -> None:
    wanted = indexed.get_nodes()[2].node_id
    assert ask(indexed, "trois", node_ids=[wanted]).ids == [wanted]


def test_it_does_what_llama_index_own_simple_store_does(empty: SentenceVectorStore) -> None:
    simple = SimpleVectorStore()
    texts = ["Il pleut à Paris.", "Il neige à Oslo.", "Le soleil brille.", "Il pleut encore."]
    for number, text in enumerate(texts):
        for store in (simple, empty):
            store.add([node(f"n{number}", text, f"d{number % 2}")])
    for step in range(2):
        for question in ("pleut", "Oslo ?", "soleil"):
            ours, theirs = (ask(store, question) for store in (empty, simple))
            assert ours.ids == theirs.ids
            assert ours.similarities == pytest.approx(
                theirs.similarities, abs=1e-4
            )  # vectors are kept in 16 bits
        if step == 0:
            for store in (simple, empty):
                store.delete("d1")


def test_llama_index_builds_queries_and_deletes_through_it(empty: SentenceVectorStore) -> None:
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.core.embeddings import MockEmbedding

    index = VectorStoreIndex(
        [node("n1", "Il pleut.", "météo"), node("n2", "Le beurre fond.", "cuisine")],
        storage_context=StorageContext.from_defaults(vector_store=empty),
        embed_model=MockEmbedding(embed_dim=64),
    )
    found = index.as_retriever(similarity_top_k=5).retrieve("Il pleut.")
    assert {one.node.node_id for one in found} == {"n1", "n2"}
    index.delete_ref_doc("météo")
    assert [one.node.node_id for one in index.as_retriever().retrieve("pluie")] == ["n2"]


DOCUMENTS = ("d0", "d1", "d2")
TEXTS = ("Il pleut à Paris.", "Il neige à Oslo.", "Le soleil brille.", "Il pleut encore ici.")
SOME = st.lists(st.sampled_from(DOCUMENTS), min_size=1, max_size=2, unique=True)
NODE = st.tuples(st.sampled_from(DOCUMENTS), st.integers(0, 4), st.sampled_from(TEXTS))
STEP = st.one_of(
    st.tuples(st.just("add"), st.lists(NODE, min_size=1, max_size=4)),
    st.tuples(st.just("delete"), st.sampled_from(DOCUMENTS)),
    st.tuples(st.just("delete_nodes"), st.lists(NODE, min_size=1, max_size=3)),
    st.tuples(st.just("delete_filtered"), SOME),
    st.tuples(st.just("clear"), st.none()),
)
FILTER = st.tuples(
    st.sampled_from([FilterOperator.EQ, FilterOperator.NE, FilterOperator.IN, FilterOperator.NIN]),
    SOME,
)


def filtered(filters: Sequence[tuple[FilterOperator, list[str]]], condition: FilterCondition):
    many = (FilterOperator.IN, FilterOperator.NIN)
    return MetadataFilters(
        filters=[
            MetadataFilter(key="document", value=of if by in many else of[0], operator=by)
            for by, of in filters
        ],
        condition=condition,
    )


def node_id(document_id: str, number: int) -> str:
    # Some ids are those of nodes of other documents.
    return f"n{number}" if number < 2 else f"{document_id}-{number}"


def step(store: BasePydanticVectorStore, what: str, given: Any) -> None:
    if what == "add":
        for document_id, number, text in given:
            one = node(node_id(document_id, number), text, document_id)
            one.metadata = {"document": document_id}
            store.add([one])
    elif what == "delete":
        store.delete(given)
    elif what == "delete_nodes":
        store.delete_nodes([node_id(document_id, number) for document_id, number, _ in given])
    elif what == "delete_filtered":
        store.delete_nodes(filters=filtered([(FilterOperator.IN, given)], FilterCondition.AND))
    else:
        store.clear()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(STEP, min_size=1, max_size=8),
    st.lists(FILTER, min_size=1, max_size=2),
    st.sampled_from([FilterCondition.AND, FilterCondition.OR]),
)
def test_any_operations_and_filters_give_what_the_simple_store_gives(
    steps: list[tuple[str, Any]],
    filters: list[tuple[FilterOperator, list[str]]],
    condition: FilterCondition,
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder), ENCODER.id, ENCODER.dim) as plain,
    ):
        ours, theirs = SentenceVectorStore(plain), SimpleVectorStore()
        for what, given in steps:
            for store in (ours, theirs):
                step(store, what, given)
        for chosen in (None, filtered(filters, condition)):
            for question in ("pleut", "Oslo ?"):
                query = VectorStoreQuery(
                    query_embedding=vector(question), similarity_top_k=100, filters=chosen
                )
                found = [
                    dict(zip(r.ids, r.similarities, strict=True))
                    for r in (store.query(query) for store in (ours, theirs))
                ]
                assert found[0] == pytest.approx(found[1], abs=1e-4)
        assert plain.check(deep=True) == []
