r"""Which blocks are headings: context for what follows, never cited.

In doubt a block is not a heading: a fact must stay citable. So a line that states something, its
number aside, is none, and neither is a question to one person.

Example: ``mark_headings(text, find_blocks(text))`` marks the first line of "Titre\n\nUne phrase."
"""

from __future__ import annotations

import re
from itertools import islice, pairwise

from qa.sentences.abbreviations import load_abbreviations
from qa.sentences.boundaries import sentence_ends
from qa.sentences.lines import HEADING_CHARS, TERMINAL, Block, ends_in

_HEADING_WORDS = 14
_NEXT_TO_HEADING = 1.5  # what follows a heading without a blank line is this much longer
_OWN_DIGITS = 2  # of the number of a heading: "PHASE 12", but not "LOYER 800"
_CAPITALS = 4  # letters, at least, of a heading in capitals: "USA" is not one
_UNDERLINE = re.compile(r"(?:={3,}|-{3,})")
_NUMBERED = re.compile(
    r"(?P<number>\d{1,2}(?:\.\d{1,2})+|\d{1,2}(?=[.)])|[IVX]{1,5}(?=[.)])|[A-Z](?=[.)]))[.)]?"
    r"\s+(?P<first>[^\W\d_])"
)
_DIVISION = re.compile(
    r"(?P<name>[^\W\d_]+)\s+(?P<number>\d{1,4}(?:er)?|[IVXLC]+|[A-Z])(?:[.-]\d+)*"
    r"\s*(?:$|[.:–—-])"
)
# One question, perhaps numbered or emphasised, and nothing after it.
_ASKED = re.compile(
    r"(?P<mark>Q\s*\d*\s*[:.)])?(?:\d{1,3}[.)]|[*_«\"(])*\s*[^\W_][^.!?…]*\?[\s*_»\")]*"
)
_QUESTIONS = 2  # with their answers, at least, make a list of questions
_FAMILIAR = re.compile(r"\btu\b", re.IGNORECASE)  # who says so asks a person, not every reader
_ADDRESSED = re.compile(r"\b(?:tu|vous|you)\b", re.IGNORECASE)  # in the only question: a letter
_LABEL = re.compile(r"[^\W\d_][^\s:?!]*(?:\s[^\s:?!]+){0,3}\s?:\s")  # Léa :
_FACT = re.compile(
    r"(?<![\w-])\d{1,3}\b|\d{5,}|\b(?!1[5-9]|20)\d{4}\b|\d[.,/:]\d|@|://|www\."
    r"|\d\s?(?:[€$£%°]|euros?\b)|\d(?:h\d*|[ap]m|[kcm]?[mgl]|min)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\b[dls]'\w+|[^\W\d_]+")  # in "la gare de l'Est" is no "est"
_ENDS = frozenset(".!?…:;,‽。！？｡؟۔।॥։።။：；，、،؛")


def mark_headings(text: str, blocks: list[Block]) -> list[Block]:
    """Return the blocks with the headings among them marked, from the last to the first."""
    capitals = [_is_capitals(text[block.start : block.end]) for block in blocks]
    shouted = sum(capitals) * 2 > len(blocks)
    lists_questions = _lists_questions(text, blocks)
    marked = list(blocks)
    chain = 0  # headings by shape alone that follow each other
    for index in range(len(blocks) - 2, -1, -1):
        block, before, after = (
            blocks[index],
            blocks[index - 1] if index else None,
            marked[index + 1],
        )
        by_shape = False
        if _is_asked_and_answered(text, block, after, alone=not lists_questions):
            marked[index] = block._replace(kind="heading")
        elif _may_head(text, block, after):
            by_shape = _is_heading_by_shape(text, block, before, after, chain)
            shouts = capitals[index] and not shouted and not _is_among(capitals, blocks, index)
            named = shouts or _is_named(text, block, before, after)
            if by_shape or (named and not _states(text, block)):
                marked[index] = block._replace(kind="heading")
        chain = chain + 1 if by_shape else 0
    return marked


def _may_head(text: str, block: Block, after: Block) -> bool:
    """Return whether a block is one short line, and no sentence ends in it that goes on below."""
    if not _is_line(block):
        return False
    line = text[block.start : block.end]
    short = len(line) <= HEADING_CHARS and len(line.split()) <= _HEADING_WORDS
    if not short or (ends_in(text, block, _ENDS) and _ASKED.fullmatch(line) is None):
        return False
    return after.gap or next(sentence_ends(text, block.start, block.end)) == block.end


def _is_line(block: Block) -> bool:
    """Return whether a block is one line, of the document itself: what it quotes heads nothing."""
    return block.kind in ("text", "item") and block.lines == 1 and not block.quote


def _lists_questions(text: str, blocks: list[Block]) -> bool:
    """Return whether a document has questions with their answers: one alone may be of a letter."""
    answered = (
        _is_asked_and_answered(text, block, after, alone=False) for block, after in pairwise(blocks)
    )
    return len(list(islice(filter(None, answered), _QUESTIONS))) == _QUESTIONS


def _is_asked_and_answered(text: str, block: Block, after: Block, *, alone: bool) -> bool:
    """Return whether a line is one question that what follows answers, as in a list of questions.

    A line of a dialogue («— Où vas-tu ?», «Léa : Tu viens ?») is not: it is told, so it may be
    cited. Neither is one that a closing follows («Merci,»).

    :param text: holds the blocks.
    :param block: the line.
    :param after: the block that follows it.
    :param alone: whether the document lists no questions.
    :return: whether it is the heading of its answer.
    """
    line = text[block.start : block.end]
    asked = _ASKED.fullmatch(line) if _is_line(block) and len(line) <= 2 * HEADING_CHARS else None
    if asked is None or (asked["mark"] is None and _is_told(line, alone=alone)):
        return False
    return (
        after.kind in ("text", "item", "table")
        and text[after.end - 1] != ","
        and not _ASKED.fullmatch(text, after.start, after.end)
    )


def _is_told(line: str, *, alone: bool) -> bool:
    """Return whether a question has a speaker's name before it, or is put to somebody.

    In a list of questions «vous» is whoever reads it.
    """
    labelled = _LABEL.match(line) is not None and not _is_division(line)
    addressed = _ADDRESSED if alone else _FAMILIAR
    return labelled or addressed.search(line) is not None


def _is_capitals(line: str) -> bool:
    return line.isupper() and sum(map(str.isalpha, line[: 2 * HEADING_CHARS])) >= _CAPITALS


def _is_among(capitals: list[bool], blocks: list[Block], index: int) -> bool:
    """Return whether a line in capitals is part of a passage in capitals."""
    above = index > 0 and capitals[index - 1] and not blocks[index].gap
    return above or (capitals[index + 1] and not blocks[index + 1].gap)


def _is_underlined(text: str, after: Block) -> bool:
    return not after.gap and _UNDERLINE.fullmatch(text, after.start, after.end) is not None


def _is_named(text: str, block: Block, before: Block | None, after: Block) -> bool:
    """Return whether a line is underlined or numbered as a heading is."""
    return (
        _is_underlined(text, after)
        or _is_numbered_title(text, block, before, after)
        or _is_division(text[block.start : block.end])
    )


def division_name(line: str) -> str | None:
    """Return what a line calls the part that it begins: «article» of «Article 4», "step"."""
    match = _DIVISION.match(line.lstrip("#*_> "))
    name = match["name"].lower() if match is not None else ""
    return name if name in load_abbreviations().divisions else None


def _is_division(line: str) -> bool:
    return not line.startswith(("#", "*", "_", ">")) and division_name(line) is not None


def _states(text: str, block: Block) -> bool:
    """Return whether a line tells a fact, its own number («2.», «Article 4.», «PHASE 3») aside."""
    line = text[block.start : block.end]
    if block.kind == "item":
        line = line.split(None, 1)[1]
    division = _DIVISION.match(line)
    if division and (_is_division(line) or len(division["number"]) <= _OWN_DIGITS):
        line = line[division.end() :]
    return ends_in(text, block, _ENDS) or _FACT.search(line) is not None or _is_clause(line)


def _is_clause(line: str) -> bool:
    """Return whether a verb follows its subject: not in "Ce qui est couvert" or "GARE DE L'EST"."""
    lists = load_abbreviations()
    for word in _words(line)[:-1]:
        if word in lists.subordinate:
            return False
        if word in lists.finite:
            return True
    return False


def _words(line: str) -> list[str]:
    return _WORD.findall(line.lower().replace("’", "'"))


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
    if _is_told_by_shape(text, line, before, after):
        return False
    apart = block.gap or before is None or before.kind == "heading"
    if not apart and before is not None and not ends_in(text, before, TERMINAL):
        return False
    if after.kind == "heading":  # below «## Directrice», «Marie Dupont» is what it says of her
        return before is None or text[after.start] != "#"
    if text[after.start].islower():
        return False
    longer = after.end - after.start >= _NEXT_TO_HEADING * len(line)
    return ends_in(text, after, TERMINAL) and (longer or (apart and after.gap))


def _is_told_by_shape(text: str, line: str, before: Block | None, after: Block) -> bool:
    """Return whether a line without figures tells something; a first line is a headline."""
    if ":" in line and (before is not None or _LABEL.match(text, after.start, after.end)):
        return True  # "Prix : trente euros", "Léa : On part"
    if "?" in line:  # "Et maintenant ?" is a heading, "Venez-vous ?" is of a letter
        finite = load_abbreviations().finite
        told = "-" in line or _is_told(line, alone=True) or not finite.isdisjoint(_words(line))
        return told or _ASKED.fullmatch(text, after.start, after.end) is not None
    return before is not None and _is_clause(line)
