"""The model's witnesses: its vote over the document, one-token probes, the writer's first token.

All are read from log-probabilities where the server gives them, so that a hesitating yes counts
less than a sure one. What is made of them is decided in :mod:`qa.evidence`.

Example: ``probe("Qui parle ?", "Le maire parle.", "fr", ask)`` is above 0.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

from qa.llm.meter import Meter
from qa.prompt import (
    MOST_VOTES,
    Language,
    NumberedDocument,
    no_answer,
    probe_in_document,
    probe_prompt,
    read_prompt,
    vote_prompt,
    yes_no,
)
from qa.types import Prompt, Token, TokenLogprob

# A probe's log-odds are cut here: beyond, they say only «sure».
_MAX_LOGIT = 8.0
# What a plain Yes or No counts where the server gives no log-probabilities.
_PLAIN_LOGIT = 2.0
_TINY = 1e-6
_ID = re.compile(r"[0-9]+")


def log_odds(top: Sequence[TokenLogprob], text: str, language: Language) -> float:
    """Turn a probe's first token into log P(yes)/P(no).

    The log-probabilities are those before any grammar, and «Oui» may be two tokens: every
    alternative that is a beginning of exactly one of the two words counts for that word, then the
    two sums are compared. Without alternatives the generated text decides, with a fixed weight.
    """
    yes, no = yes_no(language)
    mass = {yes: 1e-9, no: 1e-9}
    for option in top:
        said = option.token.strip().lower()
        fits = [word for word in mass if said and word.lower().startswith(said)]
        if len(fits) == 1:
            mass[fits[0]] += math.exp(option.logprob)
    if not top:
        said = text.strip().lower()
        sign = (yes.lower().startswith(said) - no.lower().startswith(said)) if said else 0
        return _PLAIN_LOGIT * sign
    return max(-_MAX_LOGIT, min(_MAX_LOGIT, math.log(mass[yes] / mass[no])))


def answer_odds(top: Sequence[TokenLogprob], text: str, language: Language) -> float:
    """Turn the writer's first token into log P(it answers)/P(it says that there is no answer).

    Every alternative that begins the word of refusal counts as one. Without alternatives the
    generated text decides, with a fixed weight.
    """
    if not top:
        return -_PLAIN_LOGIT if _refuses(text, language) else _PLAIN_LOGIT
    mass = sum(math.exp(option.logprob) for option in top if _refuses(option.token, language))
    mass = min(max(mass, _TINY), 1 - _TINY)
    return max(-_MAX_LOGIT, min(_MAX_LOGIT, math.log((1 - mass) / mass)))


def _refuses(said: str, language: Language) -> bool:
    """Tell whether an answer that begins so begins the word of refusal: «Unk», not «UN» or «U»."""
    said, word = said.strip(), no_answer(language)
    return len(said) > 1 and word.startswith(said[: len(word)])


class Drafted(NamedTuple):
    """A piece of what the writer writes.

    ``odds``: log P(it answers)/P(it refuses), of the first one; ``logprob``: how likely the writer
    held this one, 0 where the server does not tell; ``cut``: the limit ended the text here.
    """

    text: str
    odds: float
    logprob: float
    cut: bool


def drafted(ask: Meter, prompt: Prompt, language: Language) -> Generator[Drafted]:
    """Write, piece by piece.

    An answer may begin in many ways and a refusal in one, which may thus be the likeliest word of a
    model that is likelier to answer. A model that was trained to read then answers, from its next
    likeliest word on.
    """
    with closing(ask.stream(prompt)) as tokens:
        first = next((token for token in tokens if token.text), Token(""))
        odds = answer_odds(first.top, first.text, language)
        begun = _otherwise(first, language) if odds >= 0 and prompt.slot == "read" else ""
        yield _piece(replace(first, text=begun or first.text), odds)
        if not begun:
            yield from (_piece(token, odds) for token in tokens)
            return
    with closing(ask.stream(replace(prompt, begun=begun))) as tokens:
        yield from (_piece(token, odds) for token in tokens)


def _piece(token: Token, odds: float) -> Drafted:
    said = (option.logprob for option in token.top if option.token == token.text)
    return Drafted(token.text, odds, next(said, 0.0), token.finish == "length")


def _otherwise(first: Token, language: Language) -> str:
    """Return the likeliest word that is no refusal, nothing where the first is none."""
    if not _refuses(first.text, language):
        return ""
    likely = sorted(first.top, key=lambda option: -option.logprob)
    texts = (o.token for o in likely if o.token.strip() and not _refuses(o.token, language))
    return next((text for text in texts if "\ufffd" not in text), "")


@dataclass(frozen=True, slots=True)
class Votes:
    """The sentences voted for, by their index in the document, each with its probability.

    That is the probability of its number's first digit, or, of a model that was trained to vote, of
    the whole number. ``none``: log P(no sentence answers)/P(one does), of such a model.
    """

    probability: Mapping[int, float]
    none: float = 0.0


# What a model wrote, and for each character the alternatives to its token.
_Written = tuple[str, list[Sequence[TokenLogprob]]]


def vote(question: str, numbered: NumberedDocument, ask: Meter) -> Votes:
    """Ask the model which sentences hold the answer.

    Numbers are read from the whole text: where its pieces begin and end is the server's affair.
    Those out of range are dropped (the schema forbids them where there is one; not every server
    enforces it).
    """
    if ask.model.reads:
        return _trained_vote(question, numbered, ask)
    text, tops = _written(ask, vote_prompt(numbered, question))
    found: dict[int, float] = {}
    for said in _ID.finditer(text):
        _name(found, numbered, said[0], _share(tops[said.start()], said[0][0]))
    return Votes(found)


def _trained_vote(question: str, numbered: NumberedDocument, ask: Meter) -> Votes:
    """Hear a model that was trained to vote, for which 0 is likeliest where no sentence answers.

    How likely it held that is told; the likeliest sentence is named all the same, since it is to be
    read, too.
    """
    text, tops = _written(ask, vote_prompt(numbered, question, trained=True))
    none = _none_odds(tops[0] if tops else ())
    found: dict[int, float] = {}
    for said in itertools.islice(_ID.finditer(text), MOST_VOTES if none <= 0 else 1):
        places = range(said.start(), said.end())
        likely = math.prod(_share(tops[place], text[place]) for place in places)
        _name(found, numbered, said[0], likely * _ends(tops[said.end() : said.end() + 1]))
    return Votes(found, none)


def _none_odds(first: Sequence[TokenLogprob]) -> float:
    """Return log P(0)/P(another digit) of the first token's alternatives; 0 if unknown."""
    if not any(option.token.strip()[:1].isdigit() for option in first):
        return 0.0
    absent = min(max(_share(first, "0"), _TINY), 1 - _TINY)
    return max(-_MAX_LOGIT, min(_MAX_LOGIT, math.log(absent / (1 - absent))))


def _written(ask: Meter, prompt: Prompt) -> _Written:
    text = ""
    tops: list[Sequence[TokenLogprob]] = []
    for token in ask.stream(prompt):
        text += token.text
        tops += [token.top] * len(token.text)
    return text, tops


def _name(found: dict[int, float], numbered: NumberedDocument, said: str, likely: float) -> None:
    """Note a sentence that was named, unless the document has none of this number."""
    number = int(said)
    if 1 <= number <= len(numbered.sentences):
        found.setdefault(numbered.sentences[number - 1].index, likely)


def _ends(after: Sequence[Sequence[TokenLogprob]]) -> float:
    """Return the probability that no digit follows, of the alternatives there; 1 if unknown."""
    digits = (o.logprob for top in after for o in top if o.token.strip()[:1].isdigit())
    return max(0.0, 1 - sum(map(math.exp, digits)))


def _share(top: Sequence[TokenLogprob], digit: str) -> float:
    """Return the probability of ``digit`` among digits and the closing bracket; 1 if unknown."""
    mass = {"]": 0.0}
    for option in top:
        said = option.token.strip()
        if said[:1] == "]" or said[:1].isdigit():
            mass[said[:1]] = mass.get(said[:1], 0.0) + math.exp(option.logprob)
    total = sum(mass.values())
    return mass.get(digit, 0.0) / total if total else 1.0


def probe(
    question: str, text: str, language: Language, ask: Meter, inside: NumberedDocument | None = None
) -> float:
    """Ask whether ``text`` alone answers the question; return log P(yes)/P(no).

    :param inside: ask after this document's cached prefix, for a server that keeps only one prefix.
    """
    text = " ".join(text.split())
    if inside is not None:
        top, language = probe_in_document(inside, question, text), inside.language
        said, logprobs = ask.complete(top)
    else:
        said, logprobs = ask.complete(probe_prompt(question, text, language))
    return log_odds(logprobs, said, language)


def read(question: str, texts: Sequence[str], language: Language, ask: Meter) -> float:
    """Let a model that was trained to read begin its answer; return log P(answer)/P(refusal)."""
    lines = [" ".join(text.split()) for text in texts]
    prompt = read_prompt(question, lines, language, max_tokens=1)
    said, top = ask.complete(prompt)
    return answer_odds(top, said, language)
