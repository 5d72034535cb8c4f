"""What people use today, on the same store, encoder and model, behind the same interface.

``bm25``/``dense``: the best sentence, quoted. ``citation-64``/``citation-512``: LlamaIndex's
``CitationQueryEngine`` with that many tokens a chunk; its markers become citations of the chunks'
sentences. ``no-check`` and ``oracle`` are our own pipeline (:mod:`qa_eval.ablations`).

Example: ``BASELINES["bm25"](assistant, items).stream("Qui parle ?")``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qa import Assistant
from qa.consider import cite
from qa.errors import InputError
from qa.llm.meter import Meter
from qa.retrieve import retrieve
from qa.types import (
    Answer,
    Citation,
    Document,
    Event,
    Hit,
    Message,
    Prompt,
    Statement,
    Timings,
    Turn,
    Usage,
)
from qa_eval.ablations import Oracle, Unchecked
from qa_eval.data import Item
from qa_eval.predictions import Pointers
from qa_eval.run import Asked

if TYPE_CHECKING:
    from llama_index.core.llms import CustomLLM

_MARKER = re.compile(r"\[(\d+(?:\s*[,;]\s*\d+)*)\]")
_TOP_K = 5
_ANSWER_TOKENS = 256


@dataclass(frozen=True, slots=True)
class BestSentence:
    """Answers with the first sentence of a ranking; it never abstains."""

    assistant: Assistant
    key: Callable[[Hit], float]

    def document(self, document_id: str) -> Document:
        """Return a document."""
        return self.assistant.document(document_id)

    def stream(
        self, question: str, history: Sequence[Turn] = (), documents: Collection[str] | None = None
    ) -> Iterator[Event]:
        """Quote the best sentence."""
        parts = self.assistant.resources()
        hits = retrieve(question, parts.store, parts.encoder, top_k=50, documents=documents)
        best = sorted(hits, key=self.key, reverse=True)[:1]
        cited = cite(best, parts.store)
        yield _answer(question, cited[0].text if cited else "", cited, "best sentence")


@dataclass(slots=True)
class CitationEngineBaseline:
    """LlamaIndex's CitationQueryEngine over the same document, encoder and model."""

    assistant: Assistant
    chunk_tokens: int
    # Built once, not per question.
    indexes: dict[tuple[str, ...], Any] = field(default_factory=dict)
    written: Pointers = field(default_factory=lambda: Pointers(0, 0))

    def pointers(self) -> Pointers:
        """Return how many markers the last answer had, and how many led to a source."""
        return self.written

    def document(self, document_id: str) -> Document:
        """Return a document."""
        return self.assistant.document(document_id)

    def stream(
        self, question: str, history: Sequence[Turn] = (), documents: Collection[str] | None = None
    ) -> Iterator[Event]:
        """Ask the engine; an answer without markers has no citation."""
        parts = self.assistant.resources()
        if parts.model is None:
            raise InputError("CitationQueryEngine needs a model; give another --backend")
        ids = list(documents or [info.id for info in self.assistant.documents()])
        meter = Meter(parts.model)
        key = tuple(ids)
        if key not in self.indexes:
            self.indexes[key] = vector_index(self.assistant, ids)
        index = self.indexes[key]
        started = time.perf_counter()
        engine = citation_engine(index, meter, self.chunk_tokens)
        response = engine.query(question)
        text = str(response)
        lists = _MARKER.findall(text)
        markers = [int(number) for one in lists for number in re.findall(r"\d+", one)]
        valid = [number for number in markers if 1 <= number <= len(response.source_nodes)]
        self.written = Pointers(len(valid), len(markers))
        cited: dict[Citation, None] = {}
        for number in sorted(set(valid)):
            chunk = response.source_nodes[number - 1].node.get_content()
            for citation in self._sentences_in(chunk, ids):
                cited[citation] = None
        timings = Timings(total_s=time.perf_counter() - started, model_s=meter.model_s)
        plain = _MARKER.sub("", text)
        yield _answer(question, plain, tuple(cited), "CitationQueryEngine", meter.usage, timings)

    def _sentences_in(self, chunk: str, ids: Sequence[str]) -> Iterator[Citation]:
        """Yield the sentences of the documents that stand in a chunk."""
        body = " ".join(chunk.partition("\n")[2].split())
        store = self.assistant.resources().store
        for document_id in ids:
            for s in self.assistant.sentences(document_id):
                if not s.heading and " ".join(s.text.split()) in body:
                    yield from cite([Hit(s, 0.0, 1)], store)


def vector_index(assistant: Assistant, ids: Sequence[str]) -> Any:  # noqa: ANN401
    """Index the documents as LlamaIndex does by default, with our encoder."""
    from llama_index.core import Document as LlamaDocument
    from llama_index.core import VectorStoreIndex

    documents = [LlamaDocument(text=assistant.document(i).text, id_=i) for i in ids]
    return VectorStoreIndex.from_documents(
        documents, embed_model=_embedding(assistant), show_progress=False
    )


def citation_engine(index: Any, meter: Meter, chunk_tokens: int) -> Any:  # noqa: ANN401
    """Build the engine with the prompts and the synthesis that it has by default.

    Five chunks are found for a question, where LlamaIndex finds two by default; they are cut into
    sources of ``chunk_tokens``, which overlap by a quarter, or its default of 20 tokens if less.
    """
    from llama_index.core.query_engine import CitationQueryEngine

    return CitationQueryEngine.from_args(
        index,
        llm=_llm(meter),
        similarity_top_k=_TOP_K,
        citation_chunk_size=chunk_tokens,
        citation_chunk_overlap=min(20, chunk_tokens // 4),
    )


def _embedding(assistant: Assistant) -> Any:  # noqa: ANN401
    from llama_index.core.embeddings import BaseEmbedding

    encoder = assistant.resources().encoder

    class Shared(BaseEmbedding):
        def _get_query_embedding(self, query: str) -> list[float]:
            return encoder.encode([query], query=True)[0].tolist()

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_query_embedding(query)

        def _get_text_embedding(self, text: str) -> list[float]:
            return encoder.encode([text])[0].tolist()

    return Shared(model_name="shared")


def _llm(meter: Meter) -> CustomLLM:
    from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

    class Shared(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(
                context_window=meter.model.context_tokens,
                num_output=_ANSWER_TOKENS,
                model_name=meter.model.name,
            )

        def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:  # noqa: ANN401
            message = (Message("user", prompt),)
            text, _top = meter.complete(Prompt(message, _ANSWER_TOKENS))
            return CompletionResponse(text=text)

        def stream_complete(self, prompt: str, formatted: bool = False, **rest: Any) -> Any:  # noqa: ANN401
            yield self.complete(prompt, formatted, **rest)

    return Shared()


def _answer(
    question: str,
    text: str,
    cited: tuple[Citation, ...],
    backend: str,
    usage: Usage | None = None,
    timings: Timings | None = None,
) -> Answer:
    return Answer(
        text=text,
        answered=True,
        confidence=1.0,
        statements=(Statement(text, cited, "quoted"),) if cited else (),
        citations=cited,
        nearest=(),
        question=question,
        backend=backend,
        timings=timings or Timings(),
        usage=usage or Usage(),
    )


BASELINES: dict[str, Callable[[Assistant, Sequence[Item]], Asked]] = {
    "bm25": lambda assistant, _: BestSentence(assistant, lambda hit: hit.lexical),
    "dense": lambda assistant, _: BestSentence(assistant, lambda hit: hit.dense),
    "citation-64": lambda assistant, _: CitationEngineBaseline(assistant, 64),
    "citation-512": lambda assistant, _: CitationEngineBaseline(assistant, 512),
    "no-check": lambda assistant, _: Unchecked(assistant),
    "oracle": Oracle,
}
# Those that write without our pipeline.
WRITING = frozenset(["citation-64", "citation-512"])
# Those that search or write in a way of their own: our search says nothing about them.
OTHERS = frozenset(["bm25", "dense", *WRITING])
