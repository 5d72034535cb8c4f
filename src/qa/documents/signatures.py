"""What a file is by its first bytes, for the error that says that it is not what its name says.

Example: ``kind_of(b"%PDF-1.7") == "PDF"``.
"""

from __future__ import annotations

from typing import NoReturn

from qa.errors import InputError

_SIGNATURES = {
    b"%PDF-": "PDF",
    b"PK\x03\x04": "zip (docx, odt, epub…)",
    b"PK\x05\x06": "zip",
    b"{\\rtf": "RTF",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "old Office (doc, xls…) or encrypted Office",
    b"\x89PNG": "PNG picture",
    b"\xff\xd8\xff": "JPEG picture",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "RAR",
    b"\x1f\x8b": "gzip",
}


def kind_of(data: bytes) -> str | None:
    """Return the type that the first bytes tell, or None."""
    return next((name for mark, name in _SIGNATURES.items() if data.startswith(mark)), None)


def refuse_other_type(data: bytes, name: str, wanted: str) -> NoReturn:
    """Raise the error for a file that does not begin as its type does.

    :raises InputError: always.
    """
    kind = kind_of(data)
    what = f"a {kind} file" if kind else "something else, or damaged"
    raise InputError(
        f"{name!r} is {what}, not {wanted}; give it the suffix of what it is, or convert it"
    )
