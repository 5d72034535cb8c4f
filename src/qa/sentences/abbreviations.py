"""The words that decide whether a full stop ends a sentence, read from ``data/abbreviations/*.toml``.

One file per language; all languages are used together, since documents mix them and a file does not
say which it is in. A test keeps the languages from contradicting each other.

Example: ``"art" in load_abbreviations().numbered``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Abbreviations:
    """The lists of every language as one; ``fr.toml`` says what each list means."""

    always: frozenset[str]
    numbered: frozenset[str]
    dated: frozenset[str]
    final: frozenset[str]
    weak: frozenset[str]
    starters: frozenset[str]
    particles: frozenset[str]
    lettered: frozenset[str]
    divisions: frozenset[str]
    after_ordinal: frozenset[str]


def is_listed(form: str, kind: frozenset[str]) -> bool:
    """Return whether ``form`` is in ``kind``, as written or as an entry in lower case."""
    return form in kind or form.lower() in kind


@cache
def load_abbreviations() -> Abbreviations:
    """Read the lists of every language, once."""
    folder = files("qa").joinpath("data", "abbreviations")
    languages = [
        tomllib.loads(entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    ]
    return Abbreviations(
        **{
            field.name: frozenset(
                word for language in languages for word in language.get(field.name, ())
            )
            for field in fields(Abbreviations)
        }
    )
