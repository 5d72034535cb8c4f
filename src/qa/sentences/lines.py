r"""Lines → blocks: what stands together (wrapped lines), and which blocks are headings.

A line is a block, unless it was broken only because it was full; a blank line always ends one.
A heading is context for what follows, so in doubt a block is not one: a fact must stay citable.

Example: ``[b.kind for b in find_blocks("Titre\n\nUne phrase entière.")] == ["heading", "text"]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Literal

from qa.sentences.abbreviations import load_abbreviations

Kind = Literal["text", "item", "table", "code", "rule", "heading"]

_HEADING_CHARS = 100
_HEADING_WORDS = 14
_NEXT_TO_HEADING = 1.5  # what follows a heading without a blank line is this much longer
_CAPITALS = 4  # letters, at least, of a heading in capitals: "USA" is not one
_ROW_CHARS = 300  # a longer line with bars in it is prose
_WRAP_CHARS = 25  # a shorter line was not broken because it was full
_MAX_WIDTH = 130  # hard-wrapped text is narrower than this
_FULL_SHARE = 0.8  # of a wrapped paragraph's lines

_LINE = re.compile("[^\n\f\v\x1c-\x1e\x85\u2028\u2029]+|\n")
_FENCE = re.compile(r"(?:```|~~~)")
_UNDERLINE = re.compile(r"(?:={3,}|-{3,})")
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
_NUMBERED = re.compile(
    r"(?P<number>\d{1,2}(?:\.\d{1,2})+|\d{1,2}(?=[.)])|[IVX]{1,5}(?=[.)])|[A-Z](?=[.)]))[.)]?"
    r"\s+(?P<first>[^\W\d_])"
)
_DIVISION = re.compile(
    r"(?P<name>[^\W\d_]+)\s+(?:\d{1,4}(?:er)?|[IVXLC]+|[A-Z])(?:[.-]\d+)*\s*(?:$|[.:–—-])"
)
_FACT = re.compile(r"\b\d{1,3}\b|\d{5,}|\d[.,/:]\d|@|://|www\.")
_CLOSERS = "»”“\"'’)]}›*_ \u00a0\u202f"
_ENDS = frozenset(".!?…:;,‽。！？｡؟۔।॥։።။：；，、،؛")
_TERMINAL = frozenset(".!?…:;‽。！？｡؟۔।॥։።။：；؛")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text without white space around it. ``gap``: a blank line before it."""

    start: int
    end: int
    kind: Kind
    gap: bool
    lines: int = 1


def find_blocks(text: str) -> list[Block]:
    """Return the blocks of ``text`` in order; together they hold all but white space."""
    lines = list(_find_lines(text))
    paragraphs = groupby(_paragraph_numbers(lines), key=lambda pair: pair[0])
    blocks = [
        block for _, group in paragraphs for block in _join(text, [line for _, line in group])
    ]
    return _mark_headings(text, blocks)


def _find_lines(text: str) -> Iterator[Block]:
    gap, fresh, fenced = False, True, False
    for match in _LINE.finditer(text):
        line = match[0]
        stripped = line.strip()
        if not stripped:
            # The first line feed only ends the line before; another one is a blank line.
            gap, fresh = gap or (fresh and line == "\n"), fresh or line == "\n"
            continue
        start = match.start() + len(line) - len(line.lstrip())
        fence = _FENCE.match(stripped) is not None
        kind: Kind = "rule" if fence else "code" if fenced else _kind(stripped)
        fenced ^= fence
        yield Block(start, start + len(stripped), kind, gap)
        gap, fresh = False, False


def _kind(line: str) -> Kind:
    if _WORD.search(line) is None:
        return "rule"
    if _MARKDOWN_HEADING.match(line) and len(line) <= 2 * _HEADING_CHARS:
        return "heading"
    if _ITEM.match(line):
        return "item"
    if len(line) <= _ROW_CHARS and _TABLE.match(line):
        return "table"
    return "text"


def _paragraph_numbers(lines: Sequence[Block]) -> Iterator[tuple[int, Block]]:
    """Yield every line with the number of its paragraph: a run of lines that might be one text."""
    number, before = 0, None
    for line in lines:
        if line.gap or line.kind != "text" or before not in ("text", "item"):
            number += 1
        before = line.kind
        yield number, line


def _join(text: str, lines: list[Block]) -> Iterator[Block]:
    """Yield the blocks of a paragraph: its lines, put together where they were wrapped."""
    width = max(line.end - line.start for line in lines)
    pairs = list(pairwise(lines))
    full = [_is_full(text, one, two, width) for one, two in pairs]
    flows = [_flows_on(text, one, two) for one, two in pairs]
    wrapped = width <= _MAX_WIDTH and any(flows) and sum(full) >= _FULL_SHARE * len(full)
    current = lines[0]
    for (_, line), is_full, is_flowing in zip(pairs, full, flows, strict=True):
        if is_flowing or (wrapped and is_full):
            current = replace(current, end=line.end, lines=current.lines + 1)
        else:
            yield current
            current = line
    yield current


def _is_full(text: str, line: Block, following: Block, width: int) -> bool:
    """Return whether the first word of the next line had no room left in this one."""
    word = text[following.start : following.end].split(maxsplit=1)[0]
    return line.end - line.start + 1 + len(word) > width


def _flows_on(text: str, line: Block, following: Block) -> bool:
    """Return whether a sentence plainly runs over the line's end."""
    words = text[max(line.start, line.end - 40) : line.end].split()
    if (
        words[-1].endswith(".")
        and load_abbreviations().kind(words[-1][:-1].lstrip('(«“"')) == "always"
    ):
        return line.end - line.start >= _WRAP_CHARS
    return (
        text[following.start].islower()
        and not _ends_in(text, line, _TERMINAL)
        and (line.end - line.start >= _WRAP_CHARS or text[line.end - 1] in ",-")
    )


def _ends_in(text: str, block: Block, marks: frozenset[str]) -> bool:
    """Return whether the block ends with » or a mark, quotation marks and brackets aside."""
    tail = text[max(block.start, block.end - 6) : block.end]
    return tail[-1] == "»" or tail.rstrip(_CLOSERS)[-1:] in marks


def _mark_headings(text: str, blocks: list[Block]) -> list[Block]:
    """Return the blocks with the headings among them marked, from the last to the first."""
    capitals = [_is_capitals(text[block.start : block.end]) for block in blocks]
    shouted = sum(capitals) * 2 > len(blocks)
    marked = list(blocks)
    chain = 0  # headings by shape alone that follow each other
    for index in range(len(blocks) - 2, -1, -1):
        block, before, after = (
            blocks[index],
            blocks[index - 1] if index else None,
            marked[index + 1],
        )
        if block.kind not in ("text", "item") or block.lines > 1:
            chain = 0
            continue
        line = text[block.start : block.end]
        short = len(line) <= _HEADING_CHARS and len(line.split()) <= _HEADING_WORDS
        if not short or _ends_in(text, block, _ENDS):
            chain = 0
            continue
        by_shape = _is_heading_by_shape(text, block, before, after, chain)
        if (
            _is_underlined(text, after)
            or (capitals[index] and not shouted)
            or _is_numbered_title(text, block, before, after)
            or _is_division(line)
            or by_shape
        ):
            marked[index] = replace(block, kind="heading")
        chain = chain + 1 if by_shape else 0
    return marked


def _is_capitals(line: str) -> bool:
    return line.isupper() and sum(map(str.isalpha, line[: 2 * _HEADING_CHARS])) >= _CAPITALS


def _is_underlined(text: str, after: Block) -> bool:
    return not after.gap and _UNDERLINE.fullmatch(text, after.start, after.end) is not None


def _is_division(line: str) -> bool:
    match = _DIVISION.match(line)
    return match is not None and match["name"].lower() in load_abbreviations().divisions


def _is_numbered_title(text: str, block: Block, before: Block | None, after: Block) -> bool:
    """Return whether «2. Résultats» stands alone: among its like it is an item of a list."""
    here = _NUMBERED.match(text, block.start, block.end)
    if here is None or here["first"].islower():
        return False
    depth = here["number"].count(".")
    for neighbour in (before, after):
        other = neighbour and _NUMBERED.match(text, neighbour.start, neighbour.end)
        if other and other["number"].count(".") == depth:
            return False
    return after.kind in ("heading", "item") or _ends_in(text, after, _TERMINAL)


def _is_heading_by_shape(
    text: str, block: Block, before: Block | None, after: Block, chain: int
) -> bool:
    """Return whether a short line stands above longer prose, and no fact seems to be told in it."""
    line = text[block.start : block.end]
    if block.kind != "text" or chain > 1 or line[0].islower() or _FACT.search(line):
        return False
    if ":" in line and before is not None:  # "Prix : trente euros"; a first line is a headline
        return False
    apart = block.gap or before is None or before.kind == "heading"
    if not apart and before is not None and not _ends_in(text, before, _TERMINAL):
        return False
    if after.kind == "heading":
        return True
    if text[after.start].islower():
        return False
    longer = after.end - after.start >= _NEXT_TO_HEADING * len(line)
    return _ends_in(text, after, _TERMINAL) and (longer or (apart and after.gap))
