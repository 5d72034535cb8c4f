"""The segments of a page → rows in reading order: columns one after the other, tables by row.

Rows whose white gaps stand above each other are a band. A band is columns of text when its pieces
fill them, else a table. It knows places and lengths, not words.

Example: ``[row.segments[0].text for row in in_order(segments)]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Literal, NamedTuple

from qa.documents.pdf.lines import Segment

_OVERLAP = 0.55  # of the lower one's height, for two segments to be side by side
_MIN_GAP = 0.8  # × size: the least white between columns or cells
_WORD_GAP = 0.6  # × size: white inside a segment that may be the edge of a cell
_APART = 0.9  # × size of white above a row: it may begin another band
_FAR = 3.0  # × size of white: rows this far apart are no table together
_FILLED = 0.6  # of a column's width, by the median line: less is a table's cell
_COLUMN_LINES = 3
_COLUMN_LETTERS = 18  # in the median line of a column: a cell has fewer
_MAX_COLUMNS = 4

Kind = Literal["plain", "columns", "table"]


class Gap(NamedTuple):
    """White from ``x0`` to ``x1`` between two columns or cells."""

    x0: float
    x1: float


@dataclass(slots=True)
class Row:
    """Segments side by side, from left to right; ``table`` when they are the cells of a row.

    ``column`` tells the columns and bands of a page apart, so that no paragraph joins two by
    their distance alone.
    """

    segments: list[Segment]
    table: bool = False
    column: int = 0

    @property
    def top(self) -> float:
        """Return the upper edge."""
        return min(one.top for one in self.segments)

    @property
    def bottom(self) -> float:
        """Return the lower edge."""
        return max(one.bottom for one in self.segments)

    @property
    def size(self) -> float:
        """Return the height of its largest letters."""
        return max(one.size for one in self.segments)


@dataclass(slots=True)
class _Band:
    rows: list[Row] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        """Return what the rows are together."""
        shared = sum(len(row.segments) > 1 for row in self.rows)
        if not self.gaps or shared == 0:
            return "plain"
        if len(self.gaps) < _MAX_COLUMNS and all(map(_is_filled, _cut(self.rows, self.gaps))):
            return "columns"
        return "table" if shared > 1 else "plain"


def in_order(segments: Sequence[Segment]) -> list[Row]:
    """Return the rows of a page in the order in which a person reads them."""
    ordered: list[Row] = []
    column = 0
    for band in _merged(_bands(_rows(segments))):
        kind = band.kind
        parts = _cut(band.rows, band.gaps) if kind == "columns" else [band.rows]
        if kind == "table":
            parts = [_whole_rows(band)]
        for part in parts:
            for row in part:
                row.table, row.column = kind == "table" and len(row.segments) > 1, column
            ordered += part
            column += kind != "plain"
        column += 1
    return ordered


def _rows(segments: Sequence[Segment]) -> list[Row]:
    rows: list[Row] = []
    for one in sorted(segments, key=lambda segment: segment.top + segment.bottom):
        first = rows[-1].segments[0] if rows else None
        if first is not None:
            shared = min(first.bottom, one.bottom) - max(first.top, one.top)
            lower = max(min(first.bottom - first.top, one.bottom - one.top), 0.1)
            if shared > _OVERLAP * lower:
                rows[-1].segments.append(one)
                continue
        rows.append(Row([one]))
    for row in rows:
        row.segments.sort(key=lambda segment: segment.x0)
    return rows


def _bands(rows: Sequence[Row]) -> list[_Band]:
    bands = [_Band()]
    for row in rows:
        band = bands[-1]
        apart = bool(band.rows) and _is_apart(band, row)
        gaps = [] if apart else _narrowed(band.gaps, row)
        if gaps:
            band.rows.append(row)
            band.gaps = gaps
            continue
        own = _gaps(row)
        if band.gaps or own:
            bands.append(_Band(_taken_back(band, own) if own and not apart else [], own))
        bands[-1].rows.append(row)
    return [_with_all_columns(band) for band in bands if band.rows]


def _with_all_columns(band: _Band) -> _Band:
    """Return a band with the gaps that its first row does not show, if they part columns.

    The first lines of a page's columns may stand at different heights.
    """
    segments = sorted((one for row in band.rows for one in row.segments), key=lambda one: one.x0)
    white, end = [], segments[0].x1
    for one in segments[1:]:
        if one.x0 - end >= _MIN_GAP * one.size:
            white.append(Gap(end, one.x0))
        end = max(end, one.x1)
    whole = _Band(band.rows, white)
    return whole if whole.kind == "columns" else band


def _is_apart(band: _Band, row: Row) -> bool:
    """Return whether a row stands too far below a band to be part of it; tables are wider set."""
    above = band.rows[-1]
    far = _APART if band.kind == "columns" else _FAR
    return row.top - above.bottom > far * min(above.size, row.size)


def _taken_back(band: _Band, gaps: Sequence[Gap]) -> list[Row]:
    """Take the last rows from a band without gaps that stand in the right column of the next."""
    at = len(band.rows)
    if band.gaps:
        return []
    while at and any(band.rows[at - 1].segments[0].x0 >= gap.x1 - 1 for gap in gaps):
        at -= 1
    taken = band.rows[at:]
    del band.rows[at:]
    return taken


def _gaps(row: Row) -> list[Gap]:
    edges = ((one.x1, two.x0) for one, two in pairwise(row.segments))
    return [Gap(x0, x1) for x0, x1 in edges if x1 - x0 >= _MIN_GAP * row.size]


def _narrowed(gaps: Sequence[Gap], row: Row) -> list[Gap]:
    """Return what a row leaves of the gaps; a segment with an edge of cells in it is cut there."""
    left = []
    for gap in gaps:
        # White that was this narrow before, or lies between words, is enough for a cell's edge.
        segments = _cut_at(row.segments, gap)
        x0, x1 = gap
        for one in segments:
            if one.x0 < x1 and one.x1 > x0:
                x0, x1 = max(((x0, one.x0), (one.x1, x1)), key=lambda white: white[1] - white[0])
        known = len(segments) > len(row.segments) or (x0, x1) == gap
        if x1 - x0 >= (_WORD_GAP * _MIN_GAP if known else _MIN_GAP) * row.size:
            left.append(Gap(x0, x1))
            row.segments = segments
    return left


def _cut_at(segments: list[Segment], gap: Gap) -> list[Segment]:
    """Cut the segment that covers a gap at a wide space in it, if it has one."""
    pieces: list[Segment] = []
    for one in segments:
        at = _wide_space(one, gap) if one.x0 < gap.x0 and one.x1 > gap.x1 else None
        pieces += [one] if at is None else [part(one, 0, at), part(one, at + 1, len(one.text))]
    return pieces


def _wide_space(segment: Segment, gap: Gap) -> int | None:
    for at, char in enumerate(segment.text[1:-1], start=1):
        x0, x1 = segment.right[at - 1], segment.left[at + 1]
        white = min(x1, gap.x1) - max(x0, gap.x0)
        if char == " " and white >= _WORD_GAP * segment.size:
            return at
    return None


def part(segment: Segment, start: int, end: int) -> Segment:
    """Return a piece of a segment, with its places."""
    return Segment(
        segment.text[start:end],
        segment.left[start:end],
        segment.right[start:end],
        segment.top,
        segment.bottom,
        segment.base,
        segment.size,
        segment.turn,
    )


def _merged(bands: Sequence[_Band]) -> list[_Band]:
    """Put bands together that white lines had separated: the rows of one table, or its columns."""
    merged: list[_Band] = []
    for band in bands:
        last = merged[-1] if merged else None
        if last is None or not _belong(last, band):
            merged.append(band)
            continue
        gaps = last.gaps
        for row in band.rows:
            gaps = _narrowed(gaps, row)
        last.rows += band.rows
        last.gaps = gaps
    return merged


def _belong(last: _Band, band: _Band) -> bool:
    if not (last.gaps and band.gaps):
        return not last.gaps and not band.gaps
    white = band.rows[0].top - last.rows[-1].bottom
    if white > _FAR * band.rows[0].size or (last.kind == "columns") != (band.kind == "columns"):
        return False
    return any(
        min(one.x1, two.x1) - max(one.x0, two.x0) >= _MIN_GAP * band.rows[0].size
        for one in last.gaps
        for two in band.gaps
    )


def _cut(rows: Sequence[Row], gaps: Sequence[Gap]) -> list[list[Row]]:
    """Return the rows of each column."""
    edges = [(gap.x0 + gap.x1) / 2 for gap in gaps]
    columns: list[list[Row]] = [[] for _ in range(len(gaps) + 1)]
    for row in rows:
        for number, column in enumerate(columns):
            inside = [one for one in row.segments if _place(one, edges) == number]
            if inside:
                column.append(Row(inside))
    return columns


def _place(segment: Segment, edges: Sequence[float]) -> int:
    middle = (segment.x0 + segment.x1) / 2
    return sum(edge < middle for edge in edges)


def _is_filled(column: Sequence[Row]) -> bool:
    """Return whether the lines of a column are full, as those of running text are."""
    if len(column) < _COLUMN_LINES:
        return False
    spans = [(row.segments[0].x0, row.segments[-1].x1) for row in column]
    width = max(x1 for _, x1 in spans) - min(x0 for x0, _ in spans)
    letters = median(sum(len(one.text) for one in row.segments) for row in column)
    return letters >= _COLUMN_LETTERS and median(x1 - x0 for x0, x1 in spans) >= _FILLED * width


def _whole_rows(band: _Band) -> list[Row]:
    """Return the rows of a table; lines of one cell close to a row are put to that row."""
    pitches = [two.top - one.top for one, two in pairwise(band.rows)]
    close = min(pitches, default=0.0) * 1.1
    wrapped = bool(pitches) and close < 0.9 * max(pitches)
    edges = [(gap.x0 + gap.x1) / 2 for gap in band.gaps]
    rows: list[Row] = []
    for row, pitch in zip(band.rows, [0.0, *pitches], strict=True):
        if rows and wrapped and pitch <= close and (_lacks(row, edges) or _lacks(rows[-1], edges)):
            rows[-1].segments += row.segments
            rows[-1].segments.sort(key=lambda one: (_place(one, edges), one.top, one.x0))
        else:
            rows.append(row)
    return rows


def _lacks(row: Row, edges: Sequence[float]) -> bool:
    """Return whether a row has nothing in some of its cells."""
    return len({_place(one, edges) for one in row.segments}) <= len(edges)
