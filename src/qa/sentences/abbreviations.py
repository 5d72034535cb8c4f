"""The words that decide where a sentence ends and what a heading is: ``data/abbreviations/*.toml``.

One file per language; all languages are used together, since documents mix them and a file does not
say which it is in. A test keeps the languages from contradicting each other.

Example: ``load_abbreviations().kind("art") == "numbered"``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Kind = Literal["always", "numbered", "dated", "timed", "final", "weak"]

_KINDS: tuple[Kind, ...] = ("always", "numbered", "dated", "timed", "final", "weak")


@dataclass(frozen=True, slots=True)
class Abbreviations:
    """The lists of every language as one; ``fr.toml`` says what each list means."""

    kinds: Mapping[str, Kind]
    starters: frozenset[str]
    particles: frozenset[str]
    lettered: frozenset[str]
    divisions: frozenset[str]
    captions: frozenset[str]
    after_ordinal: frozenset[str]
    finite: frozenset[str]
    subordinate: frozenset[str]
    unfinished: frozenset[str]
    after_time: frozenset[str]
    last_words: frozenset[str]

    def kind(self, form: str) -> Kind | None:
        """Return the kind of an abbreviation, written as it is listed or with other capitals."""
        return self.kinds.get(form) or self.kinds.get(form.lower())


def _last_words(form: str) -> list[str]:
    """Return the words of a listed form that a full stop follows: "z. B" has two."""
    return [part.split()[-1] for part in form.lower().split(". ")]


@cache
def load_abbreviations() -> Abbreviations:
    """Read the lists of every language, once."""
    folder = files("qa").joinpath("data", "abbreviations")
    languages = [
        tomllib.loads(entry.read_text(encoding="utf-8"))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    ]

    def words(name: str) -> frozenset[str]:
        return frozenset(word for language in languages for word in language.get(name, ()))

    kinds: dict[str, Kind] = {word: kind for kind in _KINDS for word in words(kind)}
    return Abbreviations(
        kinds=kinds,
        starters=words("starters"),
        particles=words("particles"),
        lettered=words("lettered"),
        divisions=words("divisions"),
        captions=words("captions"),
        after_ordinal=words("after_ordinal"),
        finite=words("finite"),
        subordinate=words("subordinate"),
        unfinished=words("unfinished"),
        after_time=words("after_time"),
        last_words=frozenset(word for form in kinds for word in _last_words(form)),
    )
