"""HTML files → text: the main part, with its headings, lists and tables.

Example: ``read_html(data, "page.html", Limits()).title``.
"""

from __future__ import annotations

from qa.documents.blocks import find_title, to_text
from qa.documents.limits import Limits
from qa.documents.markup import WIDE, cut_notices, parse_html
from qa.documents.reading import Reading
from qa.documents.signatures import kind_of, refuse_other_type
from qa.errors import InputError

_HEAD = 4096


def read_html(data: bytes, name: str, limits: Limits) -> Reading:
    """Read a web page without its navigation.

    :raises InputError: it is another kind of file, or there is no text in it.
    """
    if kind_of(data) or (b"\0" in data[:_HEAD] and not data.startswith(WIDE)):
        refuse_other_type(data, name, "HTML")
    try:
        root = parse_html(data)
    except InputError as error:
        raise InputError(f"{name!r} {error}") from error
    return Reading(to_text(root), cut_notices(root), find_title(root))
