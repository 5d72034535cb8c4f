"""The assistant as a LlamaIndex query engine: our citations as ``source_nodes``, with offsets.

Example: ``assistant.as_query_engine().query("Qui parle ?").source_nodes[0].node.start_char_idx``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.schema import (
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

from qa.types import Answer, Citation

if TYPE_CHECKING:
    from qa.assistant import Assistant


class CitationEngine(BaseQueryEngine):  # type: ignore[misc]  # the library is not typed strictly
    """Answers through the assistant; ``response.metadata["answer"]`` is the whole ``Answer``."""

    def __init__(self, assistant: Assistant) -> None:
        super().__init__(callback_manager=CallbackManager([]))
        self._assistant = assistant

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}

    def _query(self, query_bundle: QueryBundle) -> Response:
        return to_response(self._assistant.ask(query_bundle.query_str))

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return to_response(await self._assistant.aask(query_bundle.query_str))


def to_response(answer: Answer) -> Response:
    """Turn an answer into a LlamaIndex response; an abstention has no source nodes."""
    return Response(
        response=answer.text,
        source_nodes=[to_node(citation) for citation in answer.citations],
        metadata={"answer": answer, "answered": answer.answered, "confidence": answer.confidence},
    )


def to_node(citation: Citation) -> NodeWithScore:
    """Turn a citation into a scored text node with the citation's offsets."""
    node = TextNode(
        id_=f"{citation.document}:{citation.start}-{citation.end}",
        text=citation.text,
        start_char_idx=citation.start,
        end_char_idx=citation.end,
        metadata={"document": citation.document, "title": citation.title, "page": citation.page},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=citation.document)},
    )
    return NodeWithScore(node=node, score=citation.score)
