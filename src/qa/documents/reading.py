r"""What a reader finds in a file's bytes; each format's reader returns it.

Example: ``Reading("# Titre\n\nUne phrase.", title="Titre")``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qa.documents.limits import Limits


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a file; ``pages`` has (number, start) of each page and needs canonical text.

    Formats with structure are written as light markdown: ``# `` before a heading, ``- `` before an
    item of a list, `` | `` between the cells of a table's row, a blank line between paragraphs.
    """

    text: str
    notices: tuple[str, ...] = ()
    title: str | None = None
    pages: tuple[tuple[int, int], ...] = ()


Reader = Callable[[bytes, str, Limits], Reading]
"""Reads a file's bytes; the second argument names the file in errors.

It raises InputError, and nothing else, for bytes that are not of its format.
"""
