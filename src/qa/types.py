"""The values that flow through the pipeline; this module imports nothing of ours.

Offsets are half-open character positions ``[start, end)`` in ``Document.text``. Scores: higher is
better. Ranks start at 1. Every value is frozen; sequences inside values are tuples.

Example: ``document.text[citation.start:citation.end] == citation.text`` holds for every citation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Support = Literal["supported", "partly", "quoted"]
Kind = Literal["answer", "overview", "no answer", "small talk"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a document: its 1-based number and the offsets of its text."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document's canonical text (Unicode NFC, line feeds only) and where it came from."""

    id: str
    title: str
    text: str
    pages: tuple[Page, ...] = ()
    notices: tuple[str, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Return the number of the page that holds ``offset``; None without pages."""
        for page in self.pages:
            if page.start <= offset < page.end:
                return page.number
        return None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a document; ``index`` is its 0-based place among the document's sentences.

    A heading is context for the sentences below it and is never cited.
    """

    document: str
    index: int
    start: int
    end: int
    text: str
    heading: bool = False

    @property
    def location(self) -> str:
        """Return ``document:start-end``."""
        return f"{self.document}:{self.start}-{self.end}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit that is embedded and retrieved: one sentence and the context it is read in."""

    sentence: Sentence
    context: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved sentence: ``score`` is fused from ``dense`` (cosine) and ``lexical`` (BM25)."""

    sentence: Sentence
    score: float
    rank: int
    dense: float = 0.0
    lexical: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of the conversation."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message for a model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One model call. ``slot`` names the cache that the prompt's beginning lives in.

    ``document`` prompts begin with the static numbered document, the others with short static
    rules: a backend that can keeps one cache for each, so that none pushes another out. ``read``
    prompts are for a model that was trained to read (``ChatModel.reads``), which also answers
    ``document`` prompts as it was trained to: with numbers. ``schema`` is a JSON
    schema that the output must follow; ``top_logprobs`` > 0 asks for that many alternatives of
    every generated token (at most 20). ``begun``: how the reply begins, of a model that was
    trained to read; it goes on from there, by the ``grammar`` (GBNF) if there is one.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    slot: Literal["document", "probe", "write", "read"] = "write"
    schema: Mapping[str, object] | None = None
    top_logprobs: int = 0
    stop: tuple[str, ...] = ()
    begun: str = ""
    grammar: str = ""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One candidate token at a position, with its natural-log probability before any grammar."""

    token: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one model call, or their sums over a question.

    ``prompt_tokens``: read by the model, cached ones included. ``computed_tokens``: those that no
    cache served. ``truncated``: the server read less than was sent, or could not take it whole.
    """

    prompt_tokens: int = 0
    computed_tokens: int = 0
    generated_tokens: int = 0
    truncated: bool = False

    def __add__(self, other: Usage) -> Usage:
        """Return the sum of two counts."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.computed_tokens + other.computed_tokens,
            self.generated_tokens + other.generated_tokens,
            self.truncated or other.truncated,
        )


@dataclass(frozen=True, slots=True)
class Token:
    """What a model streams; the last one has ``usage`` and the reason it stopped."""

    text: str
    top: tuple[TokenLogprob, ...] = ()
    usage: Usage | None = None
    finish: Literal["", "stop", "length"] = ""


@dataclass(frozen=True, slots=True)
class Citation:
    """A pointer to source text: ``document.text[start:end] == text``, always."""

    document: str
    title: str
    page: int | None
    start: int
    end: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentences that a question is being answered from.

    First those under consideration (``chosen`` False, at once, before any model call), then the
    ones the answer will be written from (``chosen`` True; none when the assistant abstains).
    ``confidence``, with the chosen ones: that the documents answer, 0 to 1.
    """

    citations: tuple[Citation, ...]
    chosen: bool
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the answer's text as the model writes it, before it is checked."""

    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of an answer, checked against the sentences that it cites."""

    text: str
    citations: tuple[Citation, ...]
    support: Support


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds from the question to each point, and of each step."""

    retrieve_s: float = 0.0
    evidence_s: float = 0.0
    first_token_s: float = 0.0
    write_s: float = 0.0
    check_s: float = 0.0
    total_s: float = 0.0
    model_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked answer, or an honest abstention: no citations, ``nearest`` filled.

    ``confidence``: the probability that the documents answer and that this is their answer (of an
    abstention, that what was written, or the best sentence, is); ``answerable``: that they answer,
    which decides whether it is tried; an answer of too low a confidence is not given. Both are 1
    for overviews and small talk. ``question`` is the standalone question used; ``considered`` the
    candidates with their scores; ``notices`` what the user should know: fallbacks, truncation,
    repairs. ``kind``: an overview quotes sentences that cover a document; small talk is the reply
    to a greeting, with ``answered`` False and nothing cited. ``unfinished``: what a model that died
    in mid-answer had written, or the sentence that the longest answer's end cut; nobody checked it,
    and it is no part of the answer.
    """

    text: str
    answered: bool
    confidence: float
    statements: tuple[Statement, ...]
    citations: tuple[Citation, ...]
    nearest: tuple[Citation, ...]
    question: str
    backend: str
    timings: Timings = field(default_factory=Timings)
    usage: Usage = field(default_factory=Usage)
    considered: tuple[Citation, ...] = ()
    notices: tuple[str, ...] = ()
    kind: Kind = "answer"
    unfinished: str = ""
    answerable: float = 1.0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that could answer: ``id`` chooses it, ``name`` is what people are shown.

    ``detail`` says what it is, or for a missing one why it cannot be used and what to do.
    """

    id: str
    name: str
    kind: Literal["ollama", "embedded", "extractive"]
    state: Literal["ready", "missing"]
    detail: str


Event = Evidence | Piece | Statement | Answer
