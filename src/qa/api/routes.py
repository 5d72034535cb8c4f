"""The endpoints under ``/api``: a question and its answer, whole or as it comes, and the documents.

Formatting only: JSON in, the fields of ``Answer`` out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from qa.api.guard import refusal
from qa.api.protocol import Answering, DocumentSummary
from qa.errors import IndexMissing, InputError, QAError
from qa.stream import Run
from qa.types import Answer, Event, Turn

# More answers than this wait in line; each holds a thread, and the model serves them in turn.
_ANSWERS_AT_ONCE = 8
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_EXAMPLE: dict[str, Any] = {
    "question": "Et en Syrie ?",
    "history": [
        {"question": "Combien de soldats sont en Irak ?", "answer": "2500 soldats sont en Irak."}
    ],
    "documents": ["irak-coalition.txt"],
}


class Question(BaseModel):
    """A question about the documents."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    question: Annotated[
        str, Field(description="The question, in French or English; at most 4000 characters.")
    ]
    history: Annotated[list[Turn], Field(description="The conversation so far, oldest first.")] = []
    documents: Annotated[
        list[str] | None,
        Field(min_length=1, description="Ids of the documents to ask; left out: all of them."),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _has_whole_characters(cls, data: object) -> object:
        if isinstance(data, bytes):  # a body that does not call itself JSON
            raise ValueError("the body is no JSON; send it with Content-Type: application/json")
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("half of a surrogate pair is no character") from error
        return data


def router(assistant: Answering) -> APIRouter:
    """Return the endpoints for an assistant."""
    routes = APIRouter(prefix="/api")
    places = threading.Semaphore(_ANSWERS_AT_ONCE)

    def run(asked: Question) -> Run:
        def events() -> Iterator[Event]:
            with places:
                yield from assistant.stream(asked.question, asked.history, asked.documents)

        return Run(events)

    @routes.post("/ask", response_model=Answer)
    async def ask(asked: Question, request: Request) -> JSONResponse:
        """Answer a question; every statement points at the sentences that prove it.

        The fields are those of ``qa ask --json``. Closing the connection stops the generation.
        """
        events = [event async for event in _events(run(asked), request)]
        return JSONResponse(asdict(events[-1]))

    @routes.post(
        "/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/x-ndjson": {}}}},
    )
    async def stream(asked: Question, request: Request) -> StreamingResponse:
        """Answer a question, as it comes: one JSON object a line, ``{"event": …, "data": …}``.

        In this order: ``evidence`` (the sentences under consideration, then the chosen ones),
        ``piece`` (text as the model writes it, unchecked), ``statement`` (checked, with its
        citations), and last ``answer`` with the fields of ``/api/ask``, or ``error``.
        """
        events = _events(run(asked), request)
        first = await anext(events)  # what is wrong with the question shows here
        return StreamingResponse(
            _lines(first, events),
            media_type="application/x-ndjson",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @routes.get("/documents", response_model=list[DocumentSummary])
    def documents() -> JSONResponse:
        """List the documents that can be asked."""
        listed = assistant.documents()
        return JSONResponse([asdict(DocumentSummary(d.id, d.title, d.sentences)) for d in listed])

    return routes


def stop_answers(app: FastAPI) -> None:
    """Stop every answer under way; call it in the server's event loop."""
    for run in app.state.runs:
        run.stop()


def nothing_else(app: FastAPI) -> None:
    """Answer what is no endpoint of ``/api`` here; call it after every other route was added."""

    @app.api_route("/api", methods=_METHODS, include_in_schema=False)
    @app.api_route("/api/{path:path}", methods=_METHODS, include_in_schema=False)
    async def unknown(request: Request, path: str = "") -> JSONResponse:
        called = f"/api/{path}".rstrip("/")
        return refusal(404, f"there is no {request.method} {called}; see /api/docs")


def explain_errors(app: FastAPI) -> None:
    """Make every error of the endpoints one plain sentence: ``{"error": "…"}``."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return refusal(422, _sentence(error))

    @app.exception_handler(HTTPException)
    async def unreadable(_: Request, error: HTTPException) -> JSONResponse:
        return refusal(error.status_code, _sentenced(error.detail))

    @app.exception_handler(QAError)
    async def refused(_: Request, error: QAError) -> JSONResponse:
        return refusal(_STATUS.get(type(error), 503), str(error))


class _FailedError(QAError):
    """An error of ours."""


_STATUS: dict[type[QAError], int] = {InputError: 400, IndexMissing: 409, _FailedError: 500}


def _sentence(error: RequestValidationError) -> str:
    first: dict[str, Any] = error.errors()[0]
    if first["type"] == "json_invalid":
        problem = f"is not JSON ({first['ctx']['error']} at character {first['loc'][-1]})"
        return f"the body {problem}; see /api/docs"
    place = ".".join(str(part) for part in first["loc"])
    return f"{place!r}: {_sentenced(first['msg'].removeprefix('Value error, '))}"


def _sentenced(message: str) -> str:
    """Return a library's message as ours are: it begins small and says where to look."""
    return f"{message[0].lower()}{message[1:]}; see /api/docs"


async def _events(run: Run, request: Request) -> AsyncGenerator[Event]:
    """Yield a run's events, last the answer; the run is stopped when the client leaves.

    :raises QAError: the assistant's own error, or that the answer failed or was stopped.
    """
    last: Event | None = None
    runs: set[Run] = request.app.state.runs

    async def stop_when_left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        run.stop()

    leaving = asyncio.create_task(stop_when_left())
    runs.add(run)
    try:
        async for batch in run.batches():
            for last in batch:
                yield last
    except QAError:
        raise
    except Exception as error:  # logged where it happened
        raise _FailedError("the answer failed unexpectedly; the server's log says why") from error
    finally:
        runs.discard(run)
        run.stop()
        leaving.cancel()
    if not isinstance(last, Answer):
        raise QAError("the answer was stopped before its end; ask again")


async def _lines(first: Event, rest: AsyncGenerator[Event]) -> AsyncIterator[str]:
    """Yield a line for each event, and last one for an error if there was one."""
    async with contextlib.aclosing(rest):
        try:
            yield _line(first)
            async for event in rest:
                yield _line(event)
        except QAError as error:
            yield json.dumps({"event": "error", "data": {"error": str(error)}}) + "\n"


def _line(event: Event) -> str:
    data = {"event": type(event).__name__.casefold(), "data": asdict(event)}
    return json.dumps(data, ensure_ascii=False) + "\n"
