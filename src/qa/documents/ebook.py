"""E-books (epub) → text: the chapters in reading order.

Example: ``read_epub(data, "livre.epub", Limits()).title``.
"""

from __future__ import annotations

import posixpath
import urllib.parse
import zipfile
from typing import TYPE_CHECKING

from qa.documents.blocks import to_text
from qa.documents.boilerplate import is_navigation
from qa.documents.limits import Limits
from qa.documents.markup import cut_notices, parse_html, parse_xml
from qa.documents.packed import open_zip, read_member
from qa.documents.reading import Reading
from qa.errors import InputError

if TYPE_CHECKING:
    from lxml.etree import _Element

_CONTAINER = "META-INF/container.xml"
_PROTECTION = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html")
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


def read_epub(data: bytes, name: str, limits: Limits) -> Reading:
    """Read an e-book.

    :raises InputError: it is not one, damaged, protected, or a bomb.
    """
    with open_zip(data, name, limits, "epub") as packed:
        try:
            return _read(packed, name, limits)
        except InputError as error:
            said = str(error)
            raise InputError(said if name in said else f"{name!r} {said}") from error


def _read(packed: zipfile.ZipFile, name: str, limits: Limits) -> Reading:
    def part(member: str) -> bytes:
        return read_member(packed, member, f"{name}/{member}", limits)

    if _PROTECTION in packed.namelist() and _is_protected(parse_xml(part(_PROTECTION))):
        raise InputError("is protected (DRM) and cannot be read; get a copy without protection")
    rootfile = parse_xml(part(_CONTAINER)).find(".//{*}rootfile")
    path = rootfile.get("full-path", "") if rootfile is not None else ""
    if not path:
        raise InputError("is not an e-book: its container names no content")
    content = parse_xml(part(path))
    contents = _contents(content)
    chapters, notices = [], []
    for reference in _chapters(content):
        member = posixpath.normpath(posixpath.join(posixpath.dirname(path), reference))
        try:
            root = parse_html(part(member))
        except InputError as error:
            notices.append(f"chapter {reference!r} is left out: {error}")
            continue
        notices += (f"chapter {reference!r}: {notice}" for notice in cut_notices(root))
        body = next(root.iter("body"), root)
        if reference not in contents or not is_navigation(body):  # it may be in a chapter
            chapters.append(to_text(root, whole=True))
    if notices and not chapters:
        raise InputError(f"has no chapter that can be read: {notices[0]}")
    title = content.findtext(".//{http://purl.org/dc/elements/1.1/}title") or ""
    return Reading("\n\n".join(filter(None, chapters)), tuple(notices), title.strip() or None)


def _chapters(content: _Element) -> list[str]:
    """Return the files of the chapters, in reading order, without the table of contents."""
    items = {item.get("id"): item for item in content.iterfind(".//{*}manifest/{*}item")}
    spine = (items.get(one.get("idref")) for one in content.iterfind(".//{*}spine/{*}itemref"))
    return [
        urllib.parse.unquote(item.get("href", ""))
        for item in spine
        if item is not None
        and item.get("media-type") in _PAGES
        and "nav" not in (item.get("properties") or "").split()
    ]


def _contents(content: _Element) -> set[str]:
    """Return the files in which the guide of an e-book (EPUB 2) says that the contents are."""
    guide = content.iterfind(".//{*}guide/{*}reference[@type='toc']")
    return {urllib.parse.unquote(one.get("href", "").partition("#")[0]) for one in guide}


def _is_protected(encryption: _Element) -> bool:
    """Return whether more than fonts is encrypted."""
    methods = encryption.iterfind(".//{*}EncryptedData/{*}EncryptionMethod")
    return any(method.get("Algorithm") not in _FONTS for method in methods)
