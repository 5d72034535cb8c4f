"""LlamaIndex's own pair, ``VectorStoreIndex`` and ``FaissMapVectorStore``, timed as it offers.

Example: ``measure_llama(Synthetic(), 100, Path("somewhere"), Timed(CLOCKS[0]))``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import faiss

from qa.store import Vectors
from qa_eval.synthetic import DIM, Synthetic

if TYPE_CHECKING:
    from llama_index.core.schema import TextNode

# Of the wall, and of the processor alone.
CLOCKS = ("perf_counter", "process_time")
_QUERIES = 40
_TOP_K = 200


class Timed:
    """Calls things and returns how many seconds that took by one of the clocks."""

    def __init__(self, clock: str) -> None:
        self.now: Callable[[], float] = getattr(time, clock)

    def __call__(self, act: Callable[[], object]) -> float:
        """Call ``act`` and return its seconds."""
        started = self.now()
        act()
        return self.now() - started


class _Llama:
    """LlamaIndex's VectorStoreIndex over FaissMapVectorStore, saved as it offers."""

    def __init__(self, made: Synthetic, folder: Path) -> None:
        from llama_index.core.embeddings import MockEmbedding

        self.made, self.folder = made, folder
        self.embedding = MockEmbedding(embed_dim=DIM)

    def nodes(self, number: int, name: str) -> Iterator[TextNode]:
        """Yield a document's sentences as nodes of the document ``name``."""
        from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

        text = self.made.document(number)
        source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=name)}
        for at, (line, vector) in enumerate(zip(text.text.split(". "), text.vectors, strict=True)):
            given = vector.tolist()
            yield TextNode(
                id_=f"{name}-{at}", text=line, embedding=given, relationships=dict(source)
            )

    def build(self, count: int) -> None:
        """Index documents and save."""
        from llama_index.core import StorageContext, VectorStoreIndex
        from llama_index.vector_stores.faiss import FaissMapVectorStore

        store = FaissMapVectorStore(faiss_index=faiss.IndexIDMap2(faiss.IndexFlatIP(DIM)))
        every = [node for n in range(count) for node in self.nodes(n, self.made.document(n).id)]
        context = StorageContext.from_defaults(vector_store=store)
        self.index = VectorStoreIndex(every, storage_context=context, embed_model=self.embedding)
        self.save()

    def save(self) -> None:
        """Write everything to the folder."""
        self.index.storage_context.persist(str(self.folder))

    def open(self) -> None:
        """Load everything from the folder."""
        from llama_index.core import StorageContext, load_index_from_storage
        from llama_index.vector_stores.faiss import FaissMapVectorStore

        store = FaissMapVectorStore.from_persist_dir(str(self.folder))
        saved = StorageContext.from_defaults(vector_store=store, persist_dir=str(self.folder))
        load_index_from_storage(saved, embed_model=self.embedding)

    def search(self, question: str, vector: Vectors) -> None:
        """Search by vector, the only way that it has."""
        from llama_index.core.schema import QueryBundle

        retriever = self.index.as_retriever(similarity_top_k=_TOP_K)
        retriever.retrieve(QueryBundle(question, embedding=vector.tolist()))

    def update(self, number: int) -> None:
        """Replace a document and save."""
        name = self.made.document(number).id
        self.index.delete_ref_doc(name, delete_from_docstore=True)
        self.index.insert_nodes(list(self.nodes(20_000_000 + number, name)))
        self.save()


def measure_llama(made: Synthetic, count: int, folder: Path, timed: Timed) -> dict[str, float]:
    """Return seconds and milliseconds by what they are of; the folder is made."""
    llama = _Llama(made, folder)
    figures = {"LlamaIndex: build and save, s": timed(lambda: llama.build(count))}
    figures["LlamaIndex: open, s"] = timed(llama.open)
    asked = [made.question(number) for number in range(_QUERIES)]
    searches = [timed(lambda one=one: llama.search(*one)) for one in asked]
    figures["LlamaIndex: dense search p50, ms"] = 1000 * statistics.median(searches)
    changes = [timed(lambda n=number: llama.update(n)) for number in range(3)]
    figures["LlamaIndex: update and save, ms"] = 1000 * statistics.median(changes)
    return figures
