r"""The canonical form of text: Unicode NFC, ``\n`` line ends, no unpaired surrogates.

Example: ``canonical_text("e\u0301te\u0301\r\n") == "été\n"``.
"""

from __future__ import annotations

import re
import unicodedata

_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"\w")


def canonical_text(text: str) -> str:
    """Return ``text`` in the form that all offsets refer to."""
    text = _without_surrogates(text.lstrip("\ufeff"))
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _without_surrogates(text: str) -> str:
    """Make one character of each high and low surrogate that stand together, replace others."""
    try:
        text.encode()  # quicker than to look for them
    except UnicodeEncodeError:
        joined = text.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")
        return _SURROGATE.sub("\ufffd", joined)
    return text


def has_content(text: str) -> bool:
    """Return whether a character is neither white space nor invisible (zero width, control)."""
    if _WORD.search(text):
        return True
    return any(unicodedata.category(char)[0] not in "ZC" for char in text)
