"""The store as a LlamaIndex vector store: sentences are nodes, with offsets into their document.

Importing it loads LlamaIndex (seconds), so `qa.store` itself does not.

Example: ``VectorStoreIndex.from_vector_store(SentenceVectorStore(store), embed_model=model)``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import (
    BaseNode,
    MetadataMode,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from qa.errors import InputError
from qa.store.blocks import Vectors
from qa.store.fuse import WEIGHTS, fuse
from qa.store.local import Store
from qa.store.records import DocumentInfo, Label, Origin
from qa.store.scores import NO_SCORES
from qa.types import Chunk, Document, Sentence
from qa.words import stems

_DOCUMENT_KEYS = ("document", "document_id", "doc_id", "ref_doc_id")
_OURS = ("document", "title", "page", "index", "heading")


class SentenceVectorStore(BasePydanticVectorStore):  # type: ignore[misc]
    """A :class:`Store` behind LlamaIndex's interface; a node is one sentence.

    Nodes that LlamaIndex adds keep their ids and metadata; others are called
    ``document:start-end``.
    Filters are on documents: the keys ``document`` (or ``ref_doc_id``, ``doc_id``) and ``title``.
    """

    stores_text: bool = True
    is_embedding_query: bool = True
    _store: Store = PrivateAttr()

    def __init__(self, store: Store) -> None:
        super().__init__(stores_text=True)
        self._store = store

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex serialises."""
        return "SentenceVectorStore"

    @property
    def client(self) -> Store:
        """The store itself."""
        return self._store

    def add(self, nodes: Sequence[BaseNode], **kwargs: object) -> list[str]:
        """Add nodes that carry embeddings, in one commit; a node whose id is there is replaced."""
        groups: dict[str, list[BaseNode]] = {}
        for node in nodes:
            groups.setdefault(node.ref_doc_id or node.node_id, []).append(node)
        with self._store.writing():
            new = {node.node_id for node in nodes}
            for document_id in self._store.labelled(new):
                own = {node.node_id for node in groups.get(document_id, ())}
                if elsewhere := new - own:
                    self._drop([document_id], elsewhere)
            for document_id, members in groups.items():
                document, parts = self._parts(document_id)
                parts = [part for part in parts if part.label is None or part.label.id not in new]
                self._put(document, parts, members)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: object) -> None:
        """Delete a document with all its nodes."""
        self._store.remove([ref_doc_id])

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: object,
    ) -> None:
        """Delete single nodes, of all documents or of those that pass the filters."""
        with self._store.writing():
            self._drop(self._scope(filters, None), node_ids)

    def clear(self) -> None:
        """Delete all documents."""
        self._store.remove([info.id for info in self._store.documents()])

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Return nodes by id, or those of the documents that pass the filters, in text order."""
        with self._store.reading():
            nodes = self._nodes(self._store.rows(self._scope(filters, None)))
        return [node for node in nodes if node_ids is None or node.node_id in node_ids]

    def query(self, query: VectorStoreQuery, **kwargs: object) -> VectorStoreQueryResult:
        """Search by vector (DEFAULT), by words (TEXT_SEARCH) or by both (HYBRID).

        :param query: ``alpha`` is the dense share of a hybrid search; ``doc_ids`` and ``filters``
            limit it to documents.
        :param kwargs: not used.
        :return: nodes, similarities and ids, best first.
        :raises InputError: a mode or a filter that is not supported, or nothing to search for.
        """
        with self._store.reading():
            documents = self._scope(query.filters, query.doc_ids or None)
            scores = _search(self._store, query, documents)
            if query.node_ids:  # LlamaIndex sends an empty list for «all»
                ids = {row: self._id_at(row) for row in scores}
                scores = {row: scores[row] for row in scores if ids[row] in query.node_ids}
            top_k = query.similarity_top_k
            if query.mode == VectorStoreQueryMode.HYBRID:
                top_k = query.hybrid_top_k or top_k
            best = sorted(scores, key=lambda row: (-scores[row], row))[:top_k]
            nodes = self._nodes(best)
        return VectorStoreQueryResult(
            nodes=nodes,
            similarities=[scores[row] for row in best],
            ids=[node.node_id for node in nodes],
        )

    def _scope(
        self, filters: MetadataFilters | None, document_ids: Iterable[str] | None
    ) -> list[str]:
        """Return the ids of the documents that pass."""
        wanted = None if document_ids is None else set(document_ids)
        return [
            info.id
            for info in self._store.documents()
            if (wanted is None or info.id in wanted) and (filters is None or _passes(info, filters))
        ]

    def _id_at(self, row: int) -> str:
        return str(self._nodes([row])[0].node_id)

    def _nodes(self, rows: Sequence[int]) -> list[TextNode]:
        sentences = self._store.sentences_at(rows)
        labels = self._store.labels_at(rows)
        return [
            _to_node(sentences[row], self._store.document(sentences[row].document), labels.get(row))
            for row in rows
            if row in sentences
        ]

    def _drop(self, documents: Iterable[str], node_ids: Collection[str] | None) -> None:
        """Delete nodes, all without ids, and documents of which nothing is left."""
        for document_id in documents:
            document, parts = self._parts(document_id)
            kept = [part for part in parts if node_ids and part.id not in node_ids]
            if not any(part.vector is not None for part in kept):
                self._store.remove([document_id])
            elif len(kept) < len(parts):
                self._put(document, kept, [])

    def _parts(self, document_id: str) -> tuple[Document, list[_Part]]:
        """Return a document, made up when it is new, and its sentences with all that is theirs."""
        rows = self._store.rows([document_id])
        if not rows:
            return Document(document_id, document_id, ""), []
        sentences = self._store.sentences_at(rows)
        labels, vectors = self._store.labels_at(rows), self._store.vectors_at(rows)
        contexts = self._store.contexts_at(rows)
        return self._store.document(document_id), [
            _Part(sentences[row], contexts[row], vectors.get(row), labels.get(row)) for row in rows
        ]

    def _put(self, document: Document, parts: list[_Part], nodes: Sequence[BaseNode]) -> None:
        """Write a document of old sentences and new nodes, in the order of their offsets."""
        parts = list(parts)
        for node in nodes:
            content = node.get_content(metadata_mode=MetadataMode.NONE)
            text, start = _place(document.text, content, getattr(node, "start_char_idx", None))
            document = replace(document, text=text)
            sentence = Sentence(document.id, 0, start, start + len(content), content)
            vector = np.asarray(node.get_embedding(), dtype=np.float32)
            vector = vector / max(float(np.linalg.norm(vector)), 1e-9)
            label = Label(node.node_id, json.dumps(node.metadata, ensure_ascii=False))
            parts.append(_Part(sentence, "", vector, label))
        parts.sort(key=lambda part: (part.sentence.start, part.sentence.end))
        parts = [
            replace(part, sentence=replace(part.sentence, index=index))
            for index, part in enumerate(parts)
        ]
        found = [(Chunk(part.sentence, part.context), part.vector) for part in parts]
        self._store.put(
            document,
            self._origin(document.id),
            [part.sentence for part in parts],
            [chunk for chunk, vector in found if vector is not None],
            np.array([vector for _, vector in found if vector is not None], dtype=np.float32),
        )
        labels = {part.sentence.index: part.label for part in parts if part.label}
        self._store.label(document.id, labels)

    def _origin(self, document_id: str) -> Origin:
        known = (info.origin for info in self._store.documents() if info.id == document_id)
        # Its sentences are no more what reading the file gives: the next synchronisation reads it.
        return replace(next(known, Origin()), sha256="", mtime_ns=0, recipe="")


@dataclass(frozen=True, slots=True)
class _Part:
    """A sentence with its context, its vector (a heading has none) and its label, if it has one."""

    sentence: Sentence
    context: str
    vector: Vectors | None
    label: Label | None

    @property
    def id(self) -> str:
        return self.label.id if self.label else self.sentence.location


def _search(store: Store, query: VectorStoreQuery, documents: Collection[str]) -> dict[int, float]:
    """Return row → score of the query's mode; all rows of the documents that have one."""
    size = store.size(documents)
    mode = query.mode
    hybrid = mode == VectorStoreQueryMode.HYBRID
    dense = lexical = NO_SCORES
    if mode == VectorStoreQueryMode.DEFAULT or hybrid:
        if query.query_embedding is None:
            raise InputError(f"a query of mode {mode.value!r} needs a query_embedding")
        vector = np.asarray(query.query_embedding, dtype=np.float32)
        vector = vector / max(float(np.linalg.norm(vector)), 1e-9)
        dense = store.search_dense(vector, size, documents)
    if mode in (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE) or hybrid:
        lexical = store.search_lexical(set(stems(query.query_str or "")), size, documents)
    elif not dense and mode != VectorStoreQueryMode.DEFAULT:
        raise InputError(
            f"mode {mode.value!r} is not supported; use default, text_search or hybrid"
        )
    if not hybrid:
        return dict(dense or lexical)
    weights = WEIGHTS if query.alpha is None else (query.alpha, 1 - query.alpha)
    return dict(fuse(dense, lexical, size=size, top_k=size, weights=weights))


def _passes(info: DocumentInfo, filters: MetadataFilters) -> bool:
    results = (
        _passes(info, one) if isinstance(one, MetadataFilters) else _passes_one(info, one)
        for one in filters.filters
    )
    if filters.condition == FilterCondition.OR:
        return any(results)
    if filters.condition == FilterCondition.NOT:
        return not any(results)
    return all(results)


def _passes_one(info: DocumentInfo, one: MetadataFilter) -> bool:
    value = info.title if one.key == "title" else info.id if one.key in _DOCUMENT_KEYS else None
    if value is None:
        keys = ", ".join((*_DOCUMENT_KEYS, "title"))
        raise InputError(f"a filter on {one.key!r} is not supported; filters are on {keys}")
    wanted = one.value if isinstance(one.value, list) else [one.value]
    if one.operator in (FilterOperator.EQ, FilterOperator.IN):
        return value in wanted
    if one.operator in (FilterOperator.NE, FilterOperator.NIN):
        return value not in wanted
    raise InputError(
        f"the filter operator {one.operator.value!r} is not supported; use ==, !=, in, nin"
    )


def _place(text: str, content: str, start: int | None) -> tuple[str, int]:
    """Return the text with a node's content in it, at its own offset where that is free."""
    if start is not None:
        end = start + len(content)
        padded = text.ljust(end)
        if padded[start:end] == content or not padded[start:end].strip():
            return padded[:start] + content + padded[end:], start
    start = len(text) + 1 if text else 0
    return (f"{text}\n{content}" if text else content), start


def _to_node(sentence: Sentence, document: Document, label: Label | None) -> TextNode:
    metadata: dict[str, Any] = {
        "document": document.id,
        "title": document.title,
        "page": document.page_at(sentence.start),
        "index": sentence.index,
        "heading": sentence.heading,
    }
    if label:
        metadata = {**json.loads(label.metadata), **metadata}
    return TextNode(
        id_=label.id if label else sentence.location,
        text=sentence.text,
        start_char_idx=sentence.start,
        end_char_idx=sentence.end,
        metadata=metadata,
        excluded_embed_metadata_keys=list(_OURS),
        excluded_llm_metadata_keys=list(_OURS),
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document.id)},
    )
