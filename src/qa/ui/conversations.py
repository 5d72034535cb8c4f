"""Conversations on the server's disk: kept across restarts, listed, renamed, deleted, judged.

An exchange is one row that is written anew as its answer grows, so that what was written survives
the end of the process at any point. It knows nothing of the browser or of transactions.

Example::

    conversations = Conversations(Path("index/store/conversations.sqlite"))
    key = conversations.begin("Quel est le loyer ?").id
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError

from qa.errors import QAError
from qa.types import Answer, Turn
from qa.ui.conversation_file import ConversationFile
from qa.ui.exchange import Exchange, Verdict, history, stop

FILE: Final = "conversations.sqlite"
_NAME_CHARS: Final = 120
_EXCHANGE: Final = TypeAdapter(Exchange)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One line of the list of conversations; ``updated`` is in seconds since 1970."""

    id: str
    name: str
    updated: float


@dataclass(frozen=True, slots=True)
class Feedback:
    """A person's verdict on an answer; ``documents`` are the ids that were asked, None is all."""

    key: int
    question: str
    history: tuple[Turn, ...]
    documents: tuple[str, ...] | None
    answer: Answer
    verdict: Literal["up", "down"]


class Conversations:
    """The stored conversations. Safe to use from several threads and processes.

    ``owner`` is a person or a browser, "" whoever sits at the machine: each sees, renames and
    deletes their own. An id is random; who knows it may read the conversation and go on with it.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or create the file; None keeps the conversations in memory until the end.

        :raises QAError: the file is broken, or a newer version of this program wrote it.
        """
        self._file = ConversationFile(path)

    def of(self, owner: str = "") -> tuple[Conversation, ...]:
        """Return the conversations of a person, the latest first."""
        rows = self._file.rows(
            "SELECT id, name, updated FROM conversations WHERE owner = ? ORDER BY updated DESC, id",
            owner,
        )
        return tuple(Conversation(*row) for row in rows)

    def get(self, id: str) -> Conversation | None:
        """Return a conversation, or None when there is none of this id."""
        rows = self._file.rows("SELECT id, name, updated FROM conversations WHERE id = ?", id)
        return Conversation(*rows[0]) if rows else None

    def begin(self, question: str, owner: str = "") -> Conversation:
        """Make a conversation that is named after its first question."""
        made = Conversation(secrets.token_urlsafe(12), _name(question), time.time())
        self._file.run(
            "INSERT INTO conversations (id, owner, name, updated) VALUES (?, ?, ?, ?)",
            *(made.id, owner, made.name, made.updated),
        )
        return made

    def rename(self, id: str, name: str, owner: str = "") -> None:
        """Give a person's conversation another name; a blank one changes nothing."""
        if name.strip():
            self._file.run(
                "UPDATE conversations SET name = ? WHERE id = ? AND owner = ?",
                *(_name(name), id, owner),
            )

    def delete(self, id: str, owner: str = "") -> bool:
        """Forget a person's conversation and everything in it; return whether it was theirs."""
        with self._file.writing() as database:
            gone = database.execute(
                "DELETE FROM conversations WHERE id = ? AND owner = ?", (id, owner)
            )
        return gone.rowcount > 0

    def exchanges(self, id: str) -> tuple[Exchange, ...]:
        """Return a conversation's exchanges, oldest first, without those that were asked anew.

        One whose answer was under way when its process ended comes back as stopped.
        """
        rows = self._file.rows(
            "SELECT key, value, verdict FROM exchanges"
            " WHERE conversation = ? AND replaced = 0 ORDER BY key",
            id,
        )
        return tuple(self._exchange(*row) for row in rows)

    def add(self, id: str, exchange: Exchange, replaces: int = 0) -> Exchange:
        """Store a new exchange and return it with its key.

        :param id: of the conversation.
        :param exchange: what was asked.
        :param replaces: the key of the exchange that was asked anew; it stays as feedback only.
        """
        with self._file.writing() as database:
            database.execute(
                "UPDATE exchanges SET replaced = 1 WHERE conversation = ? AND key = ?",
                (id, replaces),
            )
            cursor = database.execute(
                "INSERT INTO exchanges (conversation, value) VALUES (?, ?)", (id, _json(exchange))
            )
            database.execute("UPDATE conversations SET updated = ? WHERE id = ?", (time.time(), id))
        return replace(exchange, key=cursor.lastrowid or 0)

    def save(self, exchange: Exchange) -> None:
        """Store an exchange of this key as it is now."""
        self._file.run(
            "UPDATE exchanges SET value = ? WHERE key = ?", _json(exchange), exchange.key
        )

    def judge(self, id: str, key: int, verdict: Verdict) -> None:
        """Keep a person's verdict on an answer; empty takes it back."""
        self._file.run(
            "UPDATE exchanges SET verdict = ? WHERE conversation = ? AND key = ?", verdict, id, key
        )

    def feedback(self) -> Iterator[Feedback]:
        """Yield every answer that a person judged, oldest first, of all owners."""
        rows = self._file.rows(
            "SELECT key, conversation, value, verdict FROM exchanges"
            " WHERE verdict != '' ORDER BY key"
        )
        for key, conversation, value, verdict in rows:
            exchange = self._exchange(key, value, verdict)
            if exchange.answer is None:
                continue
            before = [one for one in self.exchanges(conversation) if one.key < key]
            yield Feedback(
                key,
                exchange.question,
                history(before),
                exchange.documents,
                exchange.answer,
                verdict,
            )

    def close(self) -> None:
        """Close the file; calling it twice is fine."""
        self._file.close()

    def _exchange(self, key: int, value: str, verdict: Verdict) -> Exchange:
        try:
            exchange = _EXCHANGE.validate_json(value)
        except ValidationError as error:
            raise QAError(
                f"exchange {key} in {self._file.where} cannot be read ({error.errors()[0]['msg']});"
                " delete its conversation"
            ) from error
        return replace(stop(exchange), key=key, verdict=verdict)


def _json(exchange: Exchange) -> str:
    return _EXCHANGE.dump_json(exchange, exclude={"key", "verdict"}).decode("utf-8")


def _name(text: str) -> str:
    """Return one line of limited length, cut between words."""
    line = " ".join(text.split())
    if len(line) <= _NAME_CHARS:
        return line
    return line[:_NAME_CHARS].rsplit(" ", 1)[0][:_NAME_CHARS] + "…"
