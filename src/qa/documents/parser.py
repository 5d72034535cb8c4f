"""Files → readings by way of a child process, which a hostile file may crash but not harm us by.

One child serves many files; when it dies, or takes too long, the file is refused by name and the
next one gets a new child. Plain text is read here: decoding it cannot go wrong in those ways.

Example: ``with Parser(Limits()) as parser: parser.read(Path("a.pdf")).text``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Self

from qa.documents.child import Child, Reply
from qa.documents.files import read_bytes, split_member
from qa.documents.formats import is_plain, read_format
from qa.documents.limits import Limits
from qa.documents.packed import Member
from qa.documents.pdf.layout import Box
from qa.documents.reading import Reading
from qa.errors import InputError
from qa.types import Document

_PDF = ".pdf"
_MIN_WIDTH, _MAX_WIDTH = 16, 8192  # pixels


class Parser:
    """Reads files within ``limits``; safe to use from several threads, one file at a time."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._child = Child(self.limits)

    def members(self, archive: Path) -> tuple[Member, ...]:
        """Return what is in a zip file.

        :raises InputError: it cannot be read, or is above the limits.
        """
        found = json.loads(self._ask(archive, do="members"))
        return tuple(Member(**one) for one in found)

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes, in hexadecimal; of a member's, unpacked.

        :raises InputError: the archive or its member cannot be read.
        :raises OSError: the file cannot be read.
        """
        if split_member(path)[1]:
            return self._ask(path, do="digest").decode()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def read(self, path: Path) -> Reading:
        """Return what a file holds; a path may lead into an archive.

        :raises InputError: the file is missing, above a limit, or not what its name says.
        """
        suffix = path.suffix.lower()
        if is_plain(suffix) and not split_member(path)[1]:
            return read_format(suffix, read_bytes(path, self.limits), str(path), self.limits)
        found = json.loads(self._ask(path, do="read"))
        pages = tuple((number, start) for number, start in found["pages"])
        return Reading(found["text"], tuple(found["notices"]), found["title"], pages)

    def boxes(self, path: Path, document: Document, start: int, end: int) -> tuple[Box, ...]:
        """Return the rectangles of ``document.text[start:end]``; none for other than PDFs.

        :raises InputError: the span is not in the text, or the file changed or is gone.
        """
        if not 0 <= start <= end <= len(document.text):
            raise InputError(
                f"{document.id!r} has {len(document.text)} characters, [{start}, {end}) is no part "
                f"of them"
            )
        if path.suffix.lower() != _PDF:
            return ()
        digest = hashlib.sha256(document.text.encode()).hexdigest()
        found = self._ask(path, do="boxes", start=start, end=end, text_sha256=digest)
        return tuple(Box(**one) for one in json.loads(found))

    def page_png(self, path: Path, page: int, width: int) -> bytes:
        """Return a page of a PDF as a PNG picture that is ``width`` pixels wide.

        :raises InputError: the file is no PDF, has no such page, or is gone.
        """
        if path.suffix.lower() != _PDF:
            raise InputError(f"{str(path)!r} has no pages to show: it is not a PDF")
        width = min(max(width, _MIN_WIDTH), _MAX_WIDTH)
        return self._ask(path, do="page", page=page, width=width)

    def close(self) -> None:
        """End the child process; the next file would start another."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, path: Path, **request: object) -> bytes:
        file, member = split_member(path)
        reply = self._child.ask({"path": str(file.absolute()), "member": member, **request})
        if reply.status == "ok":
            return reply.body
        if reply.status == "refused":
            raise InputError(reply.body.decode())
        raise InputError(f"{str(path)!r} {self._said(reply)}")

    def _said(self, reply: Reply) -> str:
        """Return what to say of a file that the child could not finish."""
        if reply.status == "memory":
            most = self.limits.parse_bytes >> 20
            return f"needs more than {most} MB of memory; split it or raise parse_memory_mb"
        if reply.status == "late":
            most = self.limits.parse_seconds
            return f"takes longer than {most} s to read; split it or raise parse_seconds"
        if reply.status == "failed":
            return f"could not be read ({reply.body.decode()}); please report this as a bug"
        return (
            f"is damaged: the program that reads this format ended on it with code "
            f"({reply.body.decode()}); open it and save it anew, or convert it to text"
        )
