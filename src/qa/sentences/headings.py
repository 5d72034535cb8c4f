r"""Which blocks are headings: context for what follows, never cited.

In doubt a block is not a heading: a fact must stay citable.

Example: ``mark_headings(text, find_blocks(text))`` marks the first line of "Titre\n\nUne phrase."
"""

from __future__ import annotations

import re

from qa.sentences.abbreviations import load_abbreviations
from qa.sentences.lines import HEADING_CHARS, TERMINAL, Block, ends_in

_HEADING_WORDS = 14
_NEXT_TO_HEADING = 1.5  # what follows a heading without a blank line is this much longer
_CAPITALS = 4  # letters, at least, of a heading in capitals: "USA" is not one
_UNDERLINE = re.compile(r"(?:={3,}|-{3,})")
_NUMBERED = re.compile(
    r"(?P<number>\d{1,2}(?:\.\d{1,2})+|\d{1,2}(?=[.)])|[IVX]{1,5}(?=[.)])|[A-Z](?=[.)]))[.)]?"
    r"\s+(?P<first>[^\W\d_])"
)
_DIVISION = re.compile(
    r"(?P<name>[^\W\d_]+)\s+(?:\d{1,4}(?:er)?|[IVXLC]+|[A-Z])(?:[.-]\d+)*\s*(?:$|[.:–—-])"
)
# One question, perhaps numbered or emphasised, and nothing after it.
_ASKED = re.compile(r"(?:Q\s*\d*\s*[:.)]|\d{1,3}[.)]|[*_«\"(])*\s*[^\W_][^.!?…]*\?[\s*_»\")]*")
_FACT = re.compile(r"\b\d{1,3}\b|\d{5,}|\d[.,/:]\d|@|://|www\.")
_ENDS = frozenset(".!?…:;,‽。！？｡؟۔।॥։።။：；，、،؛")


def mark_headings(text: str, blocks: list[Block]) -> list[Block]:
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
        if _is_asked_and_answered(text, block, after):
            marked[index] = block._replace(kind="heading")
            chain = 0
            continue
        short = len(line) <= HEADING_CHARS and len(line.split()) <= _HEADING_WORDS
        if not short or ends_in(text, block, _ENDS):
            chain = 0
            continue
        by_shape = _is_heading_by_shape(text, block, before, after, chain)
        if (
            _is_underlined(text, after)
            or (capitals[index] and not shouted and not _is_among(capitals, blocks, index))
            or _is_numbered_title(text, block, before, after)
            or _is_division(line)
            or by_shape
        ):
            marked[index] = block._replace(kind="heading")
        chain = chain + 1 if by_shape else 0
    return marked


def _is_asked_and_answered(text: str, block: Block, after: Block) -> bool:
    """Return whether a line is one question that what follows answers, as in a list of questions.

    A line of a dialogue («— Où vas-tu ?») is not: it is told, so it may be cited.
    """
    line = text[block.start : block.end]
    if not _ASKED.fullmatch(line) or len(line) > 2 * HEADING_CHARS:
        return False
    return after.kind in ("text", "item", "table") and not _ASKED.fullmatch(
        text, after.start, after.end
    )


def _is_capitals(line: str) -> bool:
    return line.isupper() and sum(map(str.isalpha, line[: 2 * HEADING_CHARS])) >= _CAPITALS


def _is_among(capitals: list[bool], blocks: list[Block], index: int) -> bool:
    """Return whether a line in capitals is part of a passage in capitals."""
    above = index > 0 and capitals[index - 1] and not blocks[index].gap
    return above or (capitals[index + 1] and not blocks[index + 1].gap)


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
    return after.kind in ("heading", "item") or ends_in(text, after, TERMINAL)


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
    if not apart and before is not None and not ends_in(text, before, TERMINAL):
        return False
    if after.kind == "heading":
        return True
    if text[after.start].islower():
        return False
    longer = after.end - after.start >= _NEXT_TO_HEADING * len(line)
    return ends_in(text, after, TERMINAL) and (longer or (apart and after.gap))
