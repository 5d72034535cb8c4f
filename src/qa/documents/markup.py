"""HTML and XML: bytes → tree; nothing is fetched, no entity of the document is expanded.

What a tree says is in :mod:`qa.documents.blocks`.

Example: ``parse_html(b"<p>Une phrase.")`` is an ``html`` element with a ``p`` inside.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from qa.errors import InputError

if TYPE_CHECKING:
    from lxml.etree import _Element

_RAISED = re.compile(r"[-+−\d,\s]+")
_EXPONENTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DEEP = "nested too deep: the rest is not read"
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""What begins a page where NUL is half of a letter."""

_DECLARED = re.compile(
    rb"<(?:meta|\?xml)\b[^>]{0,300}?(?:charset|encoding)\s*+=\s*+[\"']?\s*+([\w:.-]+)",
    re.IGNORECASE,
)
_WESTERN = frozenset(["ascii", "iso8859-1", "cp1252"])  # what Python calls them
_WHITE = re.compile(r"[ \t\r\n\f]+")  # no-break spaces stay


def parse_html(data: bytes, encoding: str | None = None) -> _Element:
    """Parse a web page, however broken.

    :param encoding: what stands outside the page (in a mail's header); else it is found inside.
    :raises InputError: there is nothing in it.
    """
    from lxml import etree

    try:
        found = _encoding(data, encoding)
        if found not in (None, "utf-8"):  # Python knows more of them than lxml
            data, found = data.decode(found, errors="replace").encode(errors="replace"), "utf-8"
        # The size of the file and the child process bound a tree, however deep it is.
        parser = etree.HTMLParser(
            encoding=found, no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
        )
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise InputError(f"cannot be read as HTML ({error})") from error
    if root is None:
        raise InputError("cannot be read as HTML: there is no text in it")
    return root


def cut_notices(root: _Element) -> tuple[str, ...]:
    """Return what to say of a page that is nested deeper than the parser goes, if it is."""
    log = root.getroottree().parser.error_log
    cut = any(one.type_name == "ERR_RESOURCE_LIMIT" for one in log)
    return (_DEEP,) if cut else ()


def parse_xml(data: bytes) -> _Element:
    """Parse XML; entities are not expanded and nothing outside is read.

    :raises InputError: it is not well-formed, or nested or expanded beyond what lxml allows.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError) as error:
        raise InputError(f"is not well-formed XML ({error})") from error


def tag_name(element: _Element) -> str:
    """Return an element's name in lower case, without its namespace; "" for a comment."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def raised(text: str) -> str:
    """Return a raised text with its digits as exponents, if it is a number.

    «17 h 30¹» must not be read as 17 h 301, nor 10⁶ as 106.
    """
    return text.translate(_EXPONENTS) if _RAISED.fullmatch(text) else text


def exponent(element: _Element) -> str:
    """Return what a raised number is written as; nothing for other raised text (1er, Mme)."""
    text = flat("".join(element.itertext()))
    number = raised(text)
    return number if number != text else ""


def flat(text: str) -> str:
    """Return a text on one line, as a browser shows it."""
    return _WHITE.sub(" ", text.replace("\u00ad", "")).strip(" ")


def western(data: bytes, charset: str) -> str | None:
    """Return what text that is declared as ASCII, Latin-1 or cp1252 is read as, as in browsers.

    :return: cp1252, Latin-1 where a byte has no meaning in it; None if another is declared.
    """
    try:
        if codecs.lookup(charset).name not in _WESTERN:
            return None
        data.decode("cp1252")
    except LookupError:
        return None
    except UnicodeDecodeError:
        return "iso-8859-1"
    return "cp1252"


def _encoding(data: bytes, told: str | None) -> str | None:
    """Return a page's encoding: what was told, else what it plainly is; None leaves it to lxml."""
    if told is not None:
        return western(data, told) or told
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        if data.startswith(WIDE):
            return None
        found = _DECLARED.search(data)
        charset = found[1].decode("ascii") if found else "ascii"
        return western(data, charset) or _known(charset)
    return "utf-8"


def _known(charset: str) -> str | None:
    """Return an encoding that a page names, if it has one in which the name could be read."""
    try:
        return charset if "<".encode(charset) == b"<" else None
    except LookupError:
        return None
