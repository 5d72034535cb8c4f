"""What a person does in the chat: ask, stop, ask anew, judge, and keep conversations in order.

Each action yields what the page shows from now on: the log, the document panel, the list of
conversations. How an answer comes about is the assistant's; where it is kept, `conversations`'.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gradio as gr

from qa.errors import QAError
from qa.stream import Run
from qa.ui.conversations import Conversation, Conversations
from qa.ui.exchange import Exchange, Verdict, advance, fail, history, stop
from qa.ui.protocol import ChatAssistant
from qa.ui.session import Live, Session, Sessions
from qa.ui.view import page_log, page_panel, talks_view
from qa.ui.visitor import owner

# A growing answer is stored this often, and with each statement that is checked.
_SAVE_EVERY_S = 1.0

Shown = tuple[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """A question as it comes from the browser: where it is asked, and of which documents.

    ``replaces`` is the key of the exchange that is asked anew, 0 for a further question.
    """

    question: str
    conversation: str
    documents: tuple[str, ...] | None = None
    replaces: int = 0


class Chat:
    """The chat's actions; holds the assistant, the stored conversations and the open pages."""

    def __init__(
        self, assistant: ChatAssistant, conversations: Conversations, sessions: Sessions
    ) -> None:
        self._assistant = assistant
        self._conversations = conversations
        self._sessions = sessions

    async def load(self, page: str, request: gr.Request) -> Shown:
        """Fill a page that was just opened with the conversation that its address names."""
        session = self._sessions.get(request.session_hash)
        if session.conversation is None:  # else the person has asked already
            await self._open(session, str(json.loads(page)["conversation"]))
        return self._shown(session, request)

    async def open(self, request: gr.Request, event: gr.EventData) -> Shown:
        """Show another conversation, or this one as it is now; an empty id begins a new one."""
        session = self._sessions.get(request.session_hash)
        await self._open(session, str(event.conversation))
        return self._shown(session, request)

    async def rename(self, request: gr.Request, event: gr.EventData) -> Shown:
        """Give a conversation another name."""
        session = await self._known(request, str(event.conversation))
        with _told(session):
            self._conversations.rename(str(event.id), clean(str(event.name)), owner(request))
        return self._shown(session, request)

    async def delete(self, request: gr.Request, event: gr.EventData) -> Shown:
        """Forget a conversation; the page that showed it shows a new one."""
        session = await self._known(request, str(event.conversation))
        with _told(session):
            if self._conversations.delete(str(event.id), owner(request)):
                self._sessions.stop(str(event.id))
            if session.conversation == str(event.id):
                await self._open(session, "")
        return self._shown(session, request)

    async def judge(self, request: gr.Request, event: gr.EventData) -> Shown:
        """Keep a person's verdict on an answer."""
        id = str(event.conversation)
        session = await self._known(request, id)
        verdict: Verdict = event.verdict if event.verdict in ("up", "down") else ""
        with _told(session):
            self._conversations.judge(id, int(event.key), verdict)
            if session.conversation == id:
                self._read(session)
        return self._shown(session, request)

    def stop(self, request: gr.Request) -> None:
        """Stop the answer on show; whoever reads the stream shows what there is."""
        self._sessions.stop(self._sessions.get(request.session_hash).conversation or "")

    async def ask(
        self, question: str, page: str, request: gr.Request
    ) -> AsyncIterator[tuple[Any, Any, Any, Any]]:
        """Answer the question in the box: yield what the page shows, and the box, as it goes."""
        session, live = await self._start(
            _wish({**json.loads(page), "question": question}), request
        )
        # A question that was not taken stays in the box.
        box: Any = "" if live else gr.skip()
        async for shown in self._followed(session, live, request):
            yield *shown, box
            box = gr.skip()

    async def ask_again(self, request: gr.Request, event: gr.EventData) -> AsyncIterator[Shown]:
        """Answer a question that was offered, edited or is tried again."""
        session, live = await self._start(_wish(dict(event._data)), request)
        async for shown in self._followed(session, live, request):
            yield shown

    async def _known(self, request: gr.Request, conversation: str) -> Session:
        """Return the page's session; one that is older than the server says what it shows."""
        session = self._sessions.get(request.session_hash)
        if session.conversation is None:
            await self._open(session, conversation)
        return session

    async def _start(self, wish: Wish, request: gr.Request) -> tuple[Session, Live | None]:
        """Begin to answer, or note what keeps from it: an error, or what another window did."""
        session = await self._known(request, wish.conversation)
        live = None
        with _told(session):
            live = self._begin(session, wish, owner(request))
            if live is None:
                self._read(session)
        return session, live

    async def _followed(
        self, session: Session, live: Live | None, request: gr.Request
    ) -> AsyncIterator[Shown]:
        """Yield what the page shows while an answer grows, at least once."""
        if live is None:
            yield self._shown(session, request)
            return
        conversation = session.conversation or ""
        try:
            yield self._shown(session, request)
            async for exchange in self._saved(session, live):
                live.exchange = exchange
                if session.conversation == conversation:
                    session.exchanges[-1] = exchange
                    yield page_log(session), page_panel(session), gr.skip()
        finally:
            live.run.stop()
            live.exchange = stop(live.exchange)
            session.answering.pop(conversation, None)
            with _told(session):
                self._conversations.save(live.exchange)
            if session.conversation == conversation and session.exchanges:
                session.exchanges[-1] = live.exchange
        yield self._shown(session, request)

    def _begin(self, session: Session, wish: Wish, owner: str) -> Live | None:
        """Store the question and start its answer; None when there is nothing to ask now."""
        busy = self._sessions.answering(session.conversation or "")
        if not wish.question or busy or (session.exchanges and session.exchanges[-1].running):
            return None
        session.trouble, session.gone = "", False
        if not session.conversation or self._conversations.get(session.conversation) is None:
            session.conversation = self._conversations.begin(wish.question, owner).id
        before = list(self._conversations.exchanges(session.conversation))
        if wish.replaces:
            if not before or before[-1].key != wish.replaces:
                return None  # another tab went on meanwhile
            before.pop()
        asked = self._conversations.add(
            session.conversation,
            Exchange(wish.question, documents=wish.documents),
            wish.replaces,
        )
        turns = history(before)
        run = Run(lambda: self._assistant.stream(asked.question, turns, asked.documents))
        session.exchanges = [*before, asked]
        session.answering[session.conversation] = Live(run, asked)
        return session.answering[session.conversation]

    async def _saved(self, session: Session, live: Live) -> AsyncIterator[Exchange]:
        """Yield the exchange as it grows, and store it now and then."""
        saved_s, statements = time.monotonic(), 0
        async for exchange in _grow(live.exchange, live.run):
            now_s = time.monotonic()
            if now_s - saved_s > _SAVE_EVERY_S or len(exchange.statements) > statements:
                with _told(session):
                    self._conversations.save(exchange)
                saved_s, statements = now_s, len(exchange.statements)
            yield exchange

    async def _open(self, session: Session, conversation: str) -> None:
        """Let the page show a conversation; an unknown one is told and gives way to a new one."""
        session.trouble, session.gone = "", False
        session.conversation, session.opened = conversation, time.time()
        with _told(session):
            self._read(session)
        with _told(session):
            session.documents = tuple(await asyncio.to_thread(self._assistant.documents))

    def _read(self, session: Session) -> None:
        """Read the session's conversation anew, its answer under way included."""
        id = session.conversation or ""
        session.exchanges = list(self._conversations.exchanges(id))
        session.gone = bool(id) and self._conversations.get(id) is None
        session.conversation = "" if session.gone else id
        live = self._sessions.answering(id)
        if live is not None and session.exchanges:
            session.exchanges[-1] = live.exchange

    def _shown(self, session: Session, request: gr.Request) -> Shown:
        conversations: Sequence[Conversation] = ()
        with _told(session):
            conversations = self._conversations.of(owner(request))
        return (
            page_log(session),
            page_panel(session),
            talks_view(conversations, session),
        )


@contextmanager
def _told(session: Session) -> Iterator[None]:
    """Tell an error that was foreseen on the page, and go on after the block."""
    try:
        yield
    except QAError as error:
        session.trouble = str(error)


def clean(text: str) -> str:
    """Return text that can be sent back as UTF-8: half a surrogate pair becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _wish(data: Mapping[str, Any]) -> Wish:
    documents = data.get("documents")
    return Wish(
        question=clean(str(data["question"]).strip()),
        conversation=str(data.get("conversation", "")),
        documents=tuple(map(str, documents)) if documents else None,
        replaces=int(data.get("replaces", 0)),
    )


async def _grow(exchange: Exchange, run: Run) -> AsyncIterator[Exchange]:
    """Yield the exchange after each batch of events, and last as it ended."""
    try:
        async for batch in run.batches():
            for event in batch:
                exchange = advance(exchange, event)
            yield exchange
    except QAError as error:
        yield fail(exchange, str(error))
        return
    except Exception:
        # Logged where it happened; the page has words for it.
        yield fail(exchange, "")
        return
    yield stop(exchange)
