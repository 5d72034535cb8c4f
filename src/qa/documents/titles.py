"""A title for a document that does not bring one: from its text, else from the name of its file.

Example: ``readable_name("notes/irak-coalition.txt") == "irak coalition"``.
"""

from __future__ import annotations

import re

_TITLE_CHARS = 100  # a longer first line is a sentence, not a title
_WRAP_CHARS = 25  # a shorter line was not broken because it was full
_MARKDOWN_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t#]*")
_FENCE = re.compile(r"[ \t]*(?:`{3,}[^`]*$|~~~)")
_FRONT_MATTER = re.compile(
    r"---[ \t]*\n(?:(?:[\w-]+:|[ \t]+\S|- |#).*\n|[ \t]*\n)++---[ \t]*$", re.MULTILINE
)
_NAMED = re.compile(r"^title:[ \t]*(.*)$", re.MULTILINE)
_SENTENCE_END = re.compile(r"[^\W\d_]{3}[.!?…]\s+[A-ZÀ-Þ]")
_LIST_ITEM = re.compile(r"(?:[-–—•*+>|]|\d{1,3}[.)]|[a-zA-Z]\))\s")
_MARKUP = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|!?\[([^\]]*)\]\([^)]*\)")
_WORD = re.compile(r"\w")


def find_title(text: str) -> str | None:
    """Return the title in the front matter, the first markdown heading, or a titling first line."""
    front = _FRONT_MATTER.match(text)
    named = _NAMED.search(front[0]) if front else None
    if named and _WORD.search(title := _unquoted(named[1])):
        return title
    text = text[front.end() :] if front else text
    fenced = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and line.startswith("#") and (match := _MARKDOWN_HEADING.fullmatch(line)):
            heading = _plain(match[1])
            if _WORD.search(heading):
                return heading
    first, _, rest = text.strip().partition("\n")
    if not rest.strip() or _is_broken(first, rest):
        return None
    first = _plain(first)
    return first if _reads_like_title(first) else None


def _unquoted(value: str) -> str:
    """Return a value of the front matter without its quotation marks and its comment."""
    mark = value[:1]
    end = value.rfind(mark, 1) if mark in ("'", '"') else -1
    if end > 0:
        return value[1:end].replace(2 * mark, mark).strip()
    return value.partition(" #")[0].strip()


def _is_broken(line: str, rest: str) -> bool:
    """Return whether a line was broken because it was full, in a text that goes on below.

    A title may have two lines: no sentence ends in the second one, and a blank line follows.
    """
    below, _, further = (part.strip(" \t") for part in rest.partition("\n"))
    if further.startswith("\n") and not _is_stopped(below):
        return False
    runs_on = below[:1].islower() or (below != "" and _SENTENCE_END.search(line) is not None)
    return runs_on and len(line) >= _WRAP_CHARS


def _plain(line: str) -> str:
    """Return a line without markdown's emphasis and links."""
    return _MARKUP.sub(lambda match: match[1] or "", line).strip()


def _reads_like_title(line: str) -> bool:
    return (
        len(line) <= _TITLE_CHARS
        and _WORD.search(line) is not None
        and not line[0].islower()
        and _LIST_ITEM.match(line) is None
        and not _is_stopped(line)
    )


def _is_stopped(line: str) -> bool:
    return line.rstrip("»”\"') \u00a0\u202f")[-1:] in tuple(".!?…:;,。！？؟")


def readable_name(id: str) -> str:
    """Return a file's name as words: ``notes/irak-coalition.txt`` → ``irak coalition``."""
    name = id.rsplit("/", 1)[-1]
    stem = name[: name.rindex(".")] if "." in name[1:] else name
    return " ".join(re.sub(r"[-_]+", " ", stem).split()) or name
