"""A title for a document that does not bring one: from its text, else from the name of its file.

Example: ``readable_name("notes/irak-coalition.txt") == "irak coalition"``.
"""

from __future__ import annotations

import re

_TITLE_CHARS = 100  # a longer first line is a sentence, not a title
_MARKDOWN_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t#]*")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_LIST_ITEM = re.compile(r"(?:[-–—•*+>|]|\d{1,3}[.)]|[a-zA-Z]\))\s")
_MARKUP = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|!?\[([^\]]*)\]\([^)]*\)")
_WORD = re.compile(r"\w")


def find_title(text: str) -> str | None:
    """Return the first markdown heading, or a first line that reads like a title."""
    fenced = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and line.startswith("#") and (match := _MARKDOWN_HEADING.fullmatch(line)):
            heading = _plain(match[1])
            if _WORD.search(heading):
                return heading
    first, _, rest = text.strip().partition("\n")
    if not rest.strip():
        return None
    first = _plain(first)
    return first if _reads_like_title(first) else None


def _plain(line: str) -> str:
    """Return a line without markdown's emphasis and links."""
    return _MARKUP.sub(lambda match: match[1] or "", line).strip()


def _reads_like_title(line: str) -> bool:
    return (
        len(line) <= _TITLE_CHARS
        and _WORD.search(line) is not None
        and not line[0].islower()
        and _LIST_ITEM.match(line) is None
        and line.rstrip("»”\"') \u00a0\u202f")[-1:] not in tuple(".!?…:;,。！？؟")
    )


def readable_name(id: str) -> str:
    """Return a file's name as words: ``notes/irak-coalition.txt`` → ``irak coalition``."""
    name = id.rsplit("/", 1)[-1]
    stem = name[: name.rindex(".")] if "." in name[1:] else name
    return " ".join(re.sub(r"[-_]+", " ", stem).split()) or name
