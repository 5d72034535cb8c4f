r"""Lines → blocks: a line is a block, unless it was broken only because it was full.

A blank line always ends a block. It knows how lines look, not what they say.

Example: ``[b.kind for b in find_blocks("- un\n\na | b")] == ["item", "table"]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from qa.sentences.abbreviations import load_abbreviations

Kind = Literal["text", "item", "table", "code", "rule", "heading"]

HEADING_CHARS = 100
_ROW_CHARS = 300  # a longer line with bars in it is prose
_WRAP_CHARS = 25  # a shorter line was not broken because it was full
_YEAR = re.compile(r"[12]\d{3}\b")
_MAX_WIDTH = 130  # hard-wrapped text is narrower than this
_FULL_SHARE = 0.8  # of a wrapped paragraph's lines
_QUOTED_WIDTH = 60  # of a wrapped quotation, at least, that has no stop at the end of a line
_MIN_FLOWS = 3  # lines that plainly run on, for the whole document to count as wrapped...
_FLOW_SHARE = 0.2  # ... and their share of the lines that might

_LINE = re.compile("[^\n\f\v\x1c-\x1e\x85\u2028\u2029]+|\n")
_FENCE = re.compile(r"`{3,}[^`]*$|~~~")  # not a line of code alone: ```a = 1```
_FRONT_MATTER = re.compile(
    r"(---[ \t]*)\n(?:(?:[\w-]+:|[ \t]+\S|- |#).*\n|[ \t]*\n)++---[ \t]*$", re.MULTILINE
)
_QUOTE = re.compile(r"(?:>\s*)++(?=\S)")  # a lone «>» is the quotation's blank line
_MARKDOWN_HEADING = re.compile(r"#{1,6}\s+\S")
_WORD = re.compile(r"\w")
_ITEM = re.compile(
    r"""(?:[-–—•*‣◦▪●○■□✓✔➢➤·+]
        | \(?\d{1,3}[.)] | \d{1,2}(?:\.\d{1,2})+[.)]?
        | \(?[A-Za-z]\) | [a-z]\. | \(?[ivxIVX]{2,5}[.)] | [IVX]\.
        )\s+\S""",
    re.VERBOSE,
)
_TABLE = re.compile(r"\||.*?\S(?:\s\|\s|\t+(?=\S))")
_OPENERS = "([«“„\"'‘\u00a0\u202f "
_CLOSERS = "»”“\"'’)]}›*_ \u00a0\u202f"
TERMINAL = frozenset(".!?…:;‽。！？｡؟۔।॥։።။：；؛")


class Block(NamedTuple):  # a tuple: a large file has millions of lines
    """A stretch of text without white space around it.

    ``gap``: a blank line before it. ``quote``: the «> » before its first line, in ``indent`` too.
    """

    start: int
    end: int
    kind: Kind
    gap: bool
    indent: int = 0
    lines: int = 1
    quote: str = ""

    @property
    def width(self) -> int:
        """Return the column where a line ends."""
        return self.indent + self.end - self.start


def find_blocks(text: str) -> list[Block]:
    """Return the blocks of ``text`` in order; together they hold all but white space."""
    return list(_join(text, list(_find_lines(text))))


def _find_lines(text: str) -> Iterator[Block]:
    gap, fresh = False, True
    fenced = -1  # how deep in quotations the open fence is
    front = _FRONT_MATTER.match(text)
    edges = (front.end(1), front.end()) if front else (-1,)
    for match in _LINE.finditer(text):
        line = match[0]
        stripped = line.strip()
        if not stripped:
            # The first line feed only ends the line before; another one is a blank line.
            gap, fresh = gap or (fresh and line == "\n"), fresh or line == "\n"
            continue
        quote = _quote(stripped)
        words = stripped[len(quote) :]
        start = match.start() + line.index(stripped) + len(quote)
        depth = quote.count(">")
        fenced = fenced if depth >= fenced else -1  # a quotation ends with its fence
        fence = (fenced in (-1, depth) and _FENCE.match(words)) or match.end() in edges
        kind: Kind = "rule" if fence else "code" if fenced >= 0 else _kind(words)
        if fence:
            fenced = depth if fenced < 0 else -1
        yield Block(start, start + len(words), kind, gap, start - match.start(), quote=quote)
        gap, fresh = not stripped.strip("> "), False


def _quote(line: str) -> str:
    match = _QUOTE.match(line) if line[0] == ">" else None
    return match[0] if match else ""


def _kind(line: str) -> Kind:
    if _WORD.search(line) is None:
        return "rule"
    if line.startswith("```"):
        return "code"
    if line[0] == "#" and _MARKDOWN_HEADING.match(line) and len(line) <= 2 * HEADING_CHARS:
        return "heading"
    if _ITEM.match(line):
        return "item"
    barred = "|" in line or "\t" in line
    if barred and len(line) <= _ROW_CHARS and _TABLE.match(line):
        return "table"
    return "text"


def _join(text: str, lines: list[Block]) -> Iterator[Block]:
    """Yield the lines as blocks: put together where they were wrapped."""
    if not lines:
        return
    joints = [_joint(text, line, following) for line, following in pairwise(lines)]
    width = _document_width(lines, joints)
    first = 0
    for last, joint in enumerate([*joints, None]):
        if joint is None:
            flowing = [bool(one) for one in joints[first:last]]
            yield from _join_paragraph(text, lines[first : last + 1], flowing, width)
            first = last + 1


def _joint(text: str, line: Block, following: Block) -> bool | None:
    """Return whether a line flows on into the following one, or None where it cannot."""
    if following.gap or following.kind != "text" or line.kind not in ("text", "item"):
        return None
    if following.quote.count(">") == line.quote.count(">"):
        return _flows_on(text, line, following)
    # The last words of a quotation may stand in a line without its «>».
    return (not following.quote and _flows_on(text, line, following)) or None


def _document_width(lines: list[Block], joints: list[bool | None]) -> int:
    """Return the width that the whole document is wrapped at, or 0.

    :param lines: of the document.
    :param joints: of each line but the last, whether it flows on; None where it cannot.
    :return: in characters.
    """
    narrow = [
        (line.width, joint)
        for line, joint in zip(lines, joints, strict=False)
        if joint is not None and line.width <= _MAX_WIDTH
    ]
    flows = [width for width, joint in narrow if joint]
    return max(flows) if len(flows) >= max(_MIN_FLOWS, _FLOW_SHARE * len(narrow)) else 0


def _join_paragraph(
    text: str, lines: list[Block], flowing: list[bool], document_width: int
) -> Iterator[Block]:
    if len(lines) == 1:
        yield lines[0]
        return
    width = max(line.width for line in lines)
    full = [_is_full(text, one, two, width) for one, two in pairwise(lines)]
    wrapped = width <= _MAX_WIDTH and any(flowing) and sum(full) >= _FULL_SHARE * len(full)
    # Else lines that begin with «>» are commands, or items of a list.
    prose = (wrapped and width >= _QUOTED_WIDTH) or any(
        ends_in(text, line, TERMINAL) for line in lines
    )
    current = lines[0]
    for index, line in enumerate(lines[1:]):
        if (prose or not line.quote) and (
            flowing[index]
            or (wrapped and full[index])
            or _is_full(text, lines[index], line, document_width)
        ):
            current = current._replace(end=line.end, lines=current.lines + 1)
        else:
            yield current
            current = line
    yield current


def _is_full(text: str, line: Block, following: Block, width: int) -> bool:
    """Return whether the first word of the next line had no room left in this one."""
    if line.width > width:
        return False
    word = text[following.start : min(following.end, following.start + _MAX_WIDTH)].split()[0]
    return line.width + 1 + len(word) > width


def _flows_on(text: str, line: Block, following: Block) -> bool:
    """Return whether a sentence plainly runs over the line's end."""
    last = text[line.end - 1]
    long = line.end - line.start >= _WRAP_CHARS
    if long and (last == "." or last.islower() or last == "°"):
        word = text[max(line.start, line.end - 40) : line.end].split()[-1].lstrip('(«“"')
        if word in load_abbreviations().unfinished:
            return True
        if last == "." and _goes_on_below(word[:-1], text, following.start):
            return True
    return (
        text[following.start : following.start + 4].lstrip(_OPENERS)[:1].islower()
        and not ends_in(text, line, TERMINAL)
        and (long or text[line.end - 1] in ",-")
    )


def _goes_on_below(form: str, text: str, at: int) -> bool:
    """Return whether an abbreviation at a line's end goes on at the next: «art.», «31 déc.»."""
    kind = load_abbreviations().kind(form)
    if kind == "numbered":
        return text[at].isdigit()
    return kind == "always" or (kind == "dated" and _YEAR.match(text, at) is not None)


def ends_in(text: str, block: Block, marks: frozenset[str]) -> bool:
    """Return whether the block ends with » or a mark, quotation marks and brackets aside."""
    tail = text[max(block.start, block.end - 6) : block.end]
    return tail[-1] == "»" or tail.rstrip(_CLOSERS)[-1:] in marks
