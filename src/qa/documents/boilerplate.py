"""What of a web page is not its text: scripts, what is hidden, navigation, banners, footers.

Example: ``is_left_out(element, whole=False)`` is True for ``<nav>`` and ``<div class="sidebar">``.
"""

from __future__ import annotations

import re
from collections.abc import Set
from itertools import islice
from typing import TYPE_CHECKING

from qa.documents.markup import flat, tag_name

if TYPE_CHECKING:
    from lxml.etree import _Element

_NEVER_READ = re.compile(
    "script|style|noscript|template|head|nav|select|option|textarea|input|iframe|"
    "object|embed|svg|math|canvas|audio|video|dialog|menu"
)
_OPENED = re.compile("h[1-6]|summary|dt")  # a button that fills one of these is its text
_BESIDE = r"cookies?|ads|advert\w*+|share|social|related|breadcrumbs?|pagination"
_PAGE_PARTS = re.compile(
    rf"(?:^|[\s_-])(?:nav|navbar|navigation|sidebar|menu|footer|masthead|skip-?link|{_BESIDE})"
    r"(?:$|[\s_-])",
    re.IGNORECASE,
)
_NO_TEXT = re.compile(  # a whole name: "cookie-banner", not "has-cookie-banner"
    rf"(?:{_BESIDE})(?:[_-]+(?:banner|notice|consent|bar|box|buttons|links|posts|{_BESIDE}))*",
    re.IGNORECASE,
)
_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary", "menu"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_LINK_SHARE = 0.7  # of a list's letters: more is navigation...
_LINKS = 5  # ... when it has so many links
_NESTED = 8  # lists in lists that are judged each: every one takes reading all that is in it


def main_part(root: _Element) -> _Element:
    """Return the element that holds a page's text, if it names one; else the page."""
    found = [
        one
        for one in root.iter("main", "article", "{*}main", "{*}article")
        if one.get("hidden") is None
    ]
    mains = [one for one in found if tag_name(one) == "main"]
    if mains:
        return mains[0]
    return found[0] if len(found) == 1 else root


def is_never_read(element: _Element) -> bool:
    """Return whether an element holds no text to read, whatever its attributes say."""
    name = tag_name(element)
    if name == "button":
        opened = (one for one in element.iterancestors() if _OPENED.fullmatch(tag_name(one)))
        return not any(_said(one) == _said(element) for one in opened)
    return not name or _NEVER_READ.fullmatch(name) is not None


def _said(element: _Element) -> str:
    return "".join(map(str, element.itertext())).strip()


def text_holders(root: _Element) -> set[_Element]:
    """Return the elements named like parts of a page that hold its title or most of its text.

    Layouts say what is beside the text: ``class="content has-sidebar"``. Links are not counted, nor
    what is named cookies, ads and the like itself. The title is the h1 in the fewest such parts.
    """
    from lxml import etree

    chars: dict[_Element, int] = {}  # before an element; once it has ended, in it
    titles: dict[_Element, int] = {}  # h1 → how many named parts are around it
    count = around = 0
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, one in walk:
        if event == "end":
            if one in chars:
                chars[one] = count - chars[one]
                around -= one not in titles
            count += len(flat(one.tail or "")) * (one is not root)
        elif tag_name(one) == "a" or _has_no_text(one) or is_left_out(one, whole=True):
            walk.skip_subtree()
        else:
            if tag_name(one) == "h1":
                chars[one], titles[one] = count, around
            elif _is_named_part(one):
                chars[one] = count
                around += 1
            count += len(flat(one.text or ""))
    title = min(filter(chars.get, titles), key=titles.__getitem__, default=None)
    holders = set(title.iterancestors()) if title is not None else set()
    return {one for one, inside in chars.items() if one in holders or 2 * inside > count}


def is_left_out(element: _Element, *, whole: bool, kept: Set[_Element] = frozenset()) -> bool:
    """Return whether an element is passed over with all that is in it.

    :param whole: only what is never read or hidden; navigation stays.
    :param kept: what stays although it is named like navigation: `text_holders`.
    """
    name = tag_name(element)
    hidden = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    if is_never_read(element) or hidden or _HIDDEN.search(element.get("style", "")):
        return True
    if whole or name in ("html", "body", "main", "article"):
        return False
    if name == "aside" or element.get("role") in _ROLES:
        return True
    if name in ("header", "footer"):
        return not any(
            tag_name(one) in ("article", "main", "section") for one in element.iterancestors()
        )
    if _is_named_part(element):
        return element not in kept
    if name not in ("ul", "ol"):
        return False
    lists = element.iterancestors("ul", "ol", "{*}ul", "{*}ol")
    return len(list(islice(lists, _NESTED))) < _NESTED and is_navigation(element)


def _is_named_part(element: _Element) -> bool:
    return _PAGE_PARTS.search(_names(element)) is not None


def _has_no_text(element: _Element) -> bool:
    return any(map(_NO_TEXT.fullmatch, _names(element).split()))


def _names(element: _Element) -> str:
    """Return what an element is called, if it may be a part of a page."""
    if tag_name(element) not in ("div", "section", "ul", "ol", "table"):
        return ""
    return f"{element.get('class', '')} {element.get('id', '')}"


def is_navigation(element: _Element) -> bool:
    """Return whether a list, or a page of contents, is nearly nothing but links."""
    links = list(element.iter("a", "{*}a"))
    letters = len(flat("".join(element.itertext())))
    linked = sum(len(flat("".join(one.itertext()))) for one in links)
    return len(links) >= _LINKS and linked > _LINK_SHARE * letters
