"""What the program says to a reader of the page, in each of the page's languages.

A message is written in English where it arises, with names and numbers in it. Here it is recognised
by its pattern in ``qa/data/messages`` and said again in another language; what is not recognised
stays as it is. It knows nothing of what the messages are about.

Example: ``said("the index is empty")["fr"] == "l’index est vide"``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files

Said = dict[str, str]

_HOLE = re.compile(r"\{(\d)\}")
# A message that quotes a whole document would take long to compare.
_LONGEST = 2000


def said(message: str) -> Said:
    """Return a message by language; what has no translation stays in English."""
    return {"en": message, "fr": translated(message) or message}


@lru_cache(maxsize=1024)
def translated(message: str) -> str | None:
    """Return a message in French, the messages inside it too, or None for an unknown one."""
    if len(message) > _LONGEST:
        return None
    for english, french in _patterns():
        if found := english.fullmatch(message):
            return _filled(french, [translated(part) or part for part in found.groups()])
    return None


def _filled(pattern: str, parts: Sequence[str]) -> str:
    return _HOLE.sub(lambda hole: parts[int(hole[1]) - 1], pattern)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the patterns, those that say most first: a part may look like a whole message."""
    file = files("qa").joinpath("data", "messages", "fr.toml")
    messages: dict[str, str] = tomllib.loads(file.read_text("utf-8"))
    ordered = sorted(messages.items(), key=lambda pair: -len(_HOLE.sub("", pair[0])))
    return tuple((_pattern(english), french) for english, french in ordered)


def _pattern(english: str) -> re.Pattern[str]:
    """Return the pattern of a message; its holes are numbered in their order from 1."""
    literal = _HOLE.split(english)[::2]
    return re.compile("(.+?)".join(map(re.escape, literal)), re.DOTALL)
