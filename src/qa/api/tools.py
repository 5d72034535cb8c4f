"""The assistant as MCP tools: ``ask``, ``search`` and ``list_documents``.

A tool returns text that a model can read and quote, and the same as structured content. This module
needs the extra ``mcp``; who imports it calls :func:`qa.api.mcp.require_mcp` first.

Example: ``tool_server(lambda: assistant).run("stdio")``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from qa.api.protocol import Answering, DocumentSummary, Found
from qa.errors import QAError
from qa.stream import Run
from qa.types import Answer, Citation, Event, Turn

_ABOUT = (
    "Answers questions from the person's own documents, on this machine. Every statement of an"
    " answer cites the exact sentences that prove it; when the documents do not answer, it says so."
    " Keep the markers [1], [2] and their sources when you pass an answer on."
)
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_Documents = Annotated[
    list[str] | None, Field(description="Ids of the documents to ask; left out: all of them.")
]


def tool_server(opened: Callable[[], Answering]) -> MCPServer[object]:
    """Return a server with the tools.

    :param opened: returns the assistant; may wait for it, and is called in a thread.
    """
    server: MCPServer[object] = MCPServer(
        "qa",
        title="Ask your documents",
        instructions=_ABOUT,
        version=version("qa-sentence-citations"),
        log_level="ERROR",
    )

    @server.tool(annotations=_READS)
    async def ask(
        question: str,
        history: Annotated[
            list[Turn] | None, Field(description="The conversation so far, oldest first.")
        ] = None,
        documents: _Documents = None,
    ) -> Annotated[CallToolResult, Answer]:
        """Answer a question from the documents, with the exact sentences that prove it."""
        events = await _events(
            Run(lambda: opened().stream(question, history or (), documents or None))
        )
        if not events or not isinstance(events[-1], Answer):
            raise ToolError("the answer was stopped before its end; ask again")
        return CallToolResult(
            content=[TextContent(type="text", text=cited_text(events[-1]))],
            structured_content=asdict(events[-1]),
        )

    @server.tool(annotations=_READS)
    async def search(query: str, documents: _Documents = None) -> Annotated[CallToolResult, Found]:
        """Find the sentences nearest to a question or to words, best first; no model is asked."""
        try:
            citations = await asyncio.to_thread(lambda: opened().search(query, documents or None))
        except QAError as error:
            raise ToolError(str(error)) from error
        return CallToolResult(
            content=[TextContent(type="text", text=_sources(citations) or "Nothing was found.")],
            structured_content=asdict(Found(citations)),
        )

    @server.tool(annotations=_READS)
    def list_documents() -> list[DocumentSummary]:
        """List the documents that can be asked, with the ids that the other tools take."""
        try:
            return [DocumentSummary(d.id, d.title, d.sentences) for d in opened().documents()]
        except QAError as error:
            raise ToolError(str(error)) from error

    return server


def cited_text(answer: Answer) -> str:
    """Return an answer as text: each statement with its markers, then the sentences cited."""
    if not answer.answered:
        nearest = f"\n\nNearest sentences:\n{_sources(answer.nearest)}" if answer.nearest else ""
        return answer.text + nearest
    number = {citation: place for place, citation in enumerate(answer.citations, start=1)}
    marked = [
        " ".join([said.text, *(f"[{number[citation]}]" for citation in said.citations)])
        for said in answer.statements
    ]
    return f"{' '.join(marked)}\n\n{_sources(answer.citations)}"


def _sources(citations: Sequence[Citation]) -> str:
    return "\n".join(
        f"[{place}] {one.title}{f', page {one.page}' if one.page is not None else ''}"
        f" ({one.document}:{one.start}-{one.end}): {' '.join(one.text.split())}"
        for place, one in enumerate(citations, start=1)
    )


async def _events(run: Run) -> list[Event]:
    """Return all events of a run; it is stopped when the call is cancelled."""
    events: list[Event] = []
    try:
        async for batch in run.batches():
            events.extend(batch)
    except QAError as error:
        raise ToolError(str(error)) from error
    finally:
        run.stop()
    return events
