"""Prompts: templates with declared variables, and the prompts of each model call made from them.

A template is a text file in ``prompts/``: a line ``variables: a, b``, then messages, each begun by
a line ``--- role``. Values are put in once, in one pass, so braces inside a value stay text;
chat-template control tokens in a value are neutralised. The module knows nothing of models or
scores.

Example: ``write_prompt("Qui parle ?", ["Le maire parle."], "fr").messages[-1].content``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from qa.errors import PromptError
from qa.llm.control import neutralise
from qa.types import Document, Message, Prompt, Sentence

Language = Literal["fr", "en"]

_VARIABLE = re.compile(r"\{([a-z_]+)\}")
# No answer begins with these, as «Non» or "Not" would: their first token tells a refusal.
_NO_ANSWER = {"fr": "Introuvable", "en": "Unknown"}
_YES_NO = {"fr": ("Oui", "Non"), "en": ("Yes", "No")}
# An answer is a phrase of about twelve words; twice that many tokens and a margin for names and
# numbers.
ANSWER_TOKENS = 64
# `{"ids":[12,13]}` is 6 to 9 tokens; room for a model that pretty-prints.
_VOTE_TOKENS = 24
# What a model that was trained to vote goes on from: `112,113]}` is 8 tokens, and its end one.
_BEGUN_VOTE = '{"ids":['
_NUMBERS_TOKENS = 12
_REWRITE_TOKENS = 48
# Two sentences at most are voted for: more than two were noise on the development questions.
MOST_VOTES = 2
_TOP_LOGPROBS = 20


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed prompt template: declared variables, and messages with ``{variable}`` places."""

    name: str
    variables: frozenset[str]
    messages: tuple[Message, ...]


def parse_template(name: str, text: str) -> Template:
    """Parse a template file's text.

    :raises PromptError: no ``variables:`` line, an unknown role, or places that differ from the
        declaration.
    """
    head, _, body = text.partition("\n")
    if not head.startswith("variables:"):
        raise PromptError(
            f"prompt {name!r}: its first line must be «variables: a, b»; it is {head!r}"
        )
    declared = frozenset(filter(None, (word.strip() for word in head[10:].split(","))))
    messages = []
    for part in re.split(r"^--- ", body, flags=re.MULTILINE)[1:]:
        role, _, content = part.partition("\n")
        if role not in ("system", "user", "assistant"):
            raise PromptError(
                f"prompt {name!r}: unknown role {role!r}; use system, user or assistant"
            )
        messages.append(Message(role, content.strip("\n")))  # type: ignore[arg-type]
    used = {place for message in messages for place in _VARIABLE.findall(message.content)}
    if used != declared:
        raise PromptError(
            f"prompt {name!r}: declares {sorted(declared)} but uses {sorted(used)}; make them equal"
        )
    return Template(name, declared, tuple(messages))


@cache
def load_template(name: str) -> Template:
    """Read ``prompts/NAME.txt``, from the installed package or, in a checkout, from its top folder.

    :raises PromptError: the file is missing or malformed.
    """
    for folder in (files("qa") / "prompts", Path(__file__).parents[2] / "prompts"):
        file = folder / f"{name}.txt"
        if file.is_file():
            return parse_template(name, file.read_text(encoding="utf-8"))
    raise PromptError(
        f"prompt {name!r} is not there; reinstall the package or restore prompts/{name}.txt"
    )


def fill(template: Template, values: Mapping[str, str]) -> tuple[Message, ...]:
    """Put ``values`` into the template's places, with control tokens neutralised.

    :raises PromptError: a declared variable is missing, or one is given that is not declared.
    """
    if values.keys() != template.variables:
        raise PromptError(
            f"prompt {template.name!r} takes {sorted(template.variables)}, got {sorted(values)}"
        )
    safe = {name: neutralise(value) for name, value in values.items()}
    return tuple(
        Message(message.role, _VARIABLE.sub(lambda place: safe[place[1]], message.content))
        for message in template.messages
    )


@dataclass(frozen=True, slots=True)
class NumberedDocument:
    """A document as the model reads it: numbered sentences. ``sentences[n - 1]`` has number n."""

    document: str
    language: Language
    sentences: tuple[Sentence, ...]
    prefix: tuple[Message, ...]


def number_document(
    document: Document, sentences: Sequence[Sentence], language: Language
) -> NumberedDocument:
    """Number the document's sentences from 1; headings stand between them without a number."""
    lines, numbered = [], []
    for sentence in sentences:
        text = " ".join(sentence.text.split())
        if sentence.heading:
            lines.append(f"\n{text}")
        else:
            numbered.append(sentence)
            lines.append(f"[{len(numbered)}] {text}")
    template = load_template(f"vote.{language}")
    messages = fill(template, {"document": "\n".join(lines), "question": ""})
    return NumberedDocument(document.id, language, tuple(numbered), messages[:1])


def vote_prompt(numbered: NumberedDocument, question: str, *, trained: bool = False) -> Prompt:
    """Ask for the numbers of the sentences that hold the answer: JSON, bounded, ids only.

    :param trained: the model was trained to vote: it goes on with nothing but numbers.
    """
    template = load_template(f"vote.{numbered.language}")
    user = fill(template, {"document": "", "question": question})[1]
    if trained:
        return Prompt(
            (*numbered.prefix, user),
            _NUMBERS_TOKENS,
            slot="document",
            top_logprobs=_TOP_LOGPROBS,
            begun=_BEGUN_VOTE,
            grammar=_numbers_grammar(len(numbered.sentences)),
        )
    item = {"type": "integer", "minimum": 1, "maximum": len(numbered.sentences)}
    ids = {"type": "array", "items": item, "minItems": 1, "maxItems": MOST_VOTES}
    schema = {"type": "object", "properties": {"ids": ids}, "required": ["ids"]}
    return Prompt(
        (*numbered.prefix, user),
        _VOTE_TOKENS,
        slot="document",
        schema=schema,
        top_logprobs=_TOP_LOGPROBS,
    )


def _numbers_grammar(last: int) -> str:
    """Return the GBNF of one or two numbers of sentences, of no more digits than ``last`` has.

    Never 0, be it the likeliest: how likely it was is told before any grammar.
    """
    number = f"[1-{min(last, 9)}]" + " [0-9]?" * (len(str(last)) - 1)
    return f'root ::= number ("," number)? "]}}"\nnumber ::= {number}'


def probe_prompt(question: str, text: str, language: Language) -> Prompt:
    """Ask in one token whether ``text`` alone answers ``question``."""
    messages = fill(load_template(f"probe.{language}"), {"question": question, "text": text})
    return Prompt(messages, 1, slot="probe", top_logprobs=_TOP_LOGPROBS)


def probe_in_document(numbered: NumberedDocument, question: str, text: str) -> Prompt:
    """Ask the same after the document's static prefix, for servers that keep a single prefix."""
    messages = fill(
        load_template(f"probe.{numbered.language}"), {"question": question, "text": text}
    )
    return Prompt((*numbered.prefix, messages[-1]), 1, slot="document", top_logprobs=_TOP_LOGPROBS)


def yes_no(language: Language) -> tuple[str, str]:
    """Return the two words that a probe chooses between."""
    return _YES_NO[language]


def write_prompt(
    question: str, texts: Sequence[str], language: Language, *, examples: bool = True
) -> Prompt:
    """Ask for a short answer from ``texts`` alone, or for the word that says that there is none.

    :param examples: put the solved examples first; without them the prompt is short, for a server
        that would read them anew for every question.
    """
    values = {"question": question, "text": "\n".join(texts)}
    messages = fill(load_template(f"write.{language}"), values)
    if not examples:
        messages = (messages[0], messages[-1])
    return Prompt(messages, ANSWER_TOKENS, slot="write", top_logprobs=_TOP_LOGPROBS, stop=("\n",))


def read_prompt(
    question: str, texts: Sequence[str], language: Language, *, max_tokens: int = ANSWER_TOKENS
) -> Prompt:
    """Ask the same of a model that was trained to read: its words are those of the training.

    :param max_tokens: 1 to hear only whether it would answer.
    """
    values = {"question": question, "text": "\n".join(texts)}
    messages = fill(load_template(f"read.{language}"), values)
    return Prompt(messages, max_tokens, slot="read", top_logprobs=_TOP_LOGPROBS, stop=("\n",))


def no_answer(language: Language) -> str:
    """Return the word with which the writer says that the text holds no answer."""
    return _NO_ANSWER[language]


def rewrite_prompt(previous: str, answer: str, question: str, language: Language) -> Prompt:
    """Ask for the follow-up ``question`` in words that need no history."""
    values = {"previous": previous, "answer": answer, "question": question}
    messages = fill(load_template(f"rewrite.{language}"), values)
    return Prompt(messages, _REWRITE_TOKENS, slot="write", stop=("\n",))


def translate_prompt(question: str, into: Language) -> Prompt:
    """Ask for the question in the language ``into``."""
    messages = fill(load_template(f"translate.{into}"), {"question": question})
    return Prompt(messages, _REWRITE_TOKENS, slot="write", stop=("\n",))
