"""The formats that can be read: suffix → reader of a file's bytes; a new one is a line in a table.

A reader is one module. It returns text as it finds it; the package makes it canonical afterwards.
Readers of anything but plain text run in the child process of `qa.documents.parser`.

Example: ``read_format(".txt", "été".encode("cp1252"), "notes.txt", Limits()).text == "été"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from qa.documents.ebook import read_epub
from qa.documents.limits import Limits
from qa.documents.mail import read_eml
from qa.documents.pdf import read_pdf
from qa.documents.plain import read_plain
from qa.documents.reading import Reader, Reading
from qa.documents.webpage import read_html
from qa.documents.word import read_docx
from qa.errors import InputError

READERS_VERSION = "5"
"""Part of what tells whether a file is read again: raise it when a reader's text changes."""

ARCHIVE = ".zip"
"""The suffix of files that hold documents; the members with a reader are documents."""

# A new format is one more line here: suffix → reader.
_READERS: Mapping[str, Reader] = {
    ".txt": read_plain,
    ".md": read_plain,
    ".markdown": read_plain,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".epub": read_epub,
    ".eml": read_eml,
}

SUFFIXES: tuple[str, ...] = (*_READERS, ARCHIVE)
"""The suffixes, in lower case, of the files that can be read."""


def is_plain(suffix: str) -> bool:
    """Return whether a format is plain text, which is read without a child process."""
    return _READERS.get(suffix) is read_plain


def read_format(suffix: str, data: bytes, name: str, limits: Limits) -> Reading:
    """Return what the reader for a suffix finds in a file's bytes.

    :param suffix: in lower case, with its dot.
    :param data: the file's bytes.
    :param name: names the file in errors.
    :param limits: what the file may ask of the machine.
    :return: the text as it stands in the file.
    :raises InputError: there is no reader, or the bytes are not what it reads.
    """
    reader = _READERS.get(suffix)
    if reader is None:
        raise unsupported(name)
    return reader(data, name, limits)


def has_reader(name: str) -> bool:
    """Return whether a file of this name is a document."""
    return PurePath(name).suffix.lower() in _READERS


def unsupported(name: str) -> InputError:
    """Return the error for a file whose suffix has no reader."""
    return InputError(
        f"{name!r} has a type that cannot be read; convert it to one of: {', '.join(SUFFIXES)}"
    )
