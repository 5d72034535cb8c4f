"""Running headers, footers and page numbers: what repeats at a page's edge is not the text's.

Example: ``without_margins(pages)`` has the same pages without "Rapport annuel – page 3".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from qa.documents.pdf.lines import PageText, Segment

_EDGE = 0.12  # of a page's height, at its top and its bottom
_SAME_PLACE = 3.0  # points
_WHITE = 0.7  # × size: the least white between such a line and the text
_NUMBER = re.compile(r"\d+")


def without_margins(pages: Sequence[PageText]) -> list[PageText]:
    """Return the pages without the lines that stand in one place on several of them.

    Numbers in such a line must be the same everywhere, or count up with the pages.
    """
    places: dict[tuple[str, bool], list[tuple[int, Segment]]] = defaultdict(list)
    for number, page in enumerate(pages):
        for segment in page.segments:
            at_top = segment.bottom < _EDGE * page.height
            if at_top or segment.top > (1 - _EDGE) * page.height:
                places[_NUMBER.sub("#", segment.text), at_top].append((number, segment))
    needed = min(3, max(2, len(pages) // 2))
    repeated: set[int] = set()
    for found in places.values():
        for group in _by_place(found):
            if len({number for number, _ in group}) >= needed and _numbers_run(group):
                repeated.update(id(segment) for _, segment in group)
    return [_without(page, repeated | _beside(page, repeated)) for page in pages]


def _beside(page: PageText, repeated: set[int]) -> set[int]:
    """Return what stands on the line of a page's number: the title of a chapter, for example."""
    lines = [one.base for one in page.segments if id(one) in repeated and one.text.isdecimal()]
    return {id(one) for one in page.segments if any(abs(one.base - base) < 1 for base in lines)}


def _without(page: PageText, repeated: set[int]) -> PageText:
    """Return the page without the repeated lines that lie outside all of its text."""
    down = sorted(page.segments, key=lambda one: one.bottom)
    up = sorted(page.segments, key=lambda one: -one.top)
    gone = _outside(down, repeated, lambda out, one: one.top - out.bottom)
    gone |= _outside(up, repeated, lambda out, one: out.top - one.bottom)
    return page._replace(segments=[one for one in page.segments if id(one) not in gone])


def _outside(
    inward: Sequence[Segment], repeated: set[int], white: Callable[[Segment, Segment], float]
) -> set[int]:
    """Return the repeated ones of segments that go inward, up to the first white after them."""
    accepted = 0
    for place, one in enumerate(inward):
        if id(one) not in repeated:
            break
        further = inward[place + 1] if place + 1 < len(inward) else None
        if further is None or white(one, further) >= _WHITE * one.size:
            accepted = place + 1
    return {id(one) for one in inward[:accepted]}


def _by_place(found: Sequence[tuple[int, Segment]]) -> list[list[tuple[int, Segment]]]:
    groups: list[list[tuple[int, Segment]]] = []
    for number, segment in sorted(found, key=lambda one: one[1].base):
        if groups and segment.base - groups[-1][-1][1].base <= _SAME_PLACE:
            groups[-1].append((number, segment))
        else:
            groups.append([(number, segment)])
    return groups


def _numbers_run(group: Sequence[tuple[int, Segment]]) -> bool:
    """Return whether each number is one number throughout, or the page's."""
    values = [(number, _NUMBER.findall(segment.text)) for number, segment in group]
    return all(
        len({numbers[place] for _, numbers in values}) == 1
        or len({int(numbers[place][:9]) - number for number, numbers in values}) == 1
        for place in range(len(values[0][1]))
    )
