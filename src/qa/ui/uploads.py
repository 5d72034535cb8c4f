"""A file that a browser sent: from the folder that receives it to a name that can be kept.

What a browser says of a file is not trusted: neither its name nor where it was put.

Example: ``clean_name("../../notes.md") == "notes.md"``.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from qa.errors import InputError

# A file system takes 255 bytes; room is left for the number that tells namesakes apart.
_MOST_BYTES = 200
_LONGEST_SUFFIX = 12
# A file under way is written to all the time: one that nobody has touched for this long was cut.
_CUT_AFTER_S = 900.0
_NAMED = "named-"
_ENDS = re.compile(r"^[\s.]+|[\s.]+$")
# Separators, what Windows refuses, and characters that are not shown or turn the text around.
_REFUSED = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]')


def clean_name(name: str) -> str:
    """Return a name for a file from the name that a browser gave: no folder, and not too long."""
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    base = _ENDS.sub("", _REFUSED.sub("_", base)) or "document"
    path = Path(base)
    suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
    stem = base.removesuffix(suffix).encode("utf-8", "replace")
    room = _MOST_BYTES - len(suffix.encode("utf-8", "replace"))
    return stem[:room].decode("utf-8", "ignore").strip() + suffix


def without_folder(message: str, name: str) -> str:
    """Return a message in which the file goes by its name alone: its folder is the server's."""
    return re.sub(rf"'[^']*[/\\]{re.escape(name)}'", lambda _: repr(name), message)


def sweep(folder: Path, older_than_s: float = _CUT_AFTER_S) -> None:
    """Delete what uploads that were cut have left in the folder that receives them.

    :param folder: the folder that receives uploads; nothing else is in it.
    :param older_than_s: how long nothing was written, in seconds.
    """
    latest_s = time.time() - older_than_s
    for file in folder.rglob("*"):
        if file.parent.name.startswith(_NAMED):
            continue  # waits for its turn to be indexed
        with contextlib.suppress(OSError):  # gone meanwhile, or a folder
            if file.lstat().st_mtime < latest_s:
                file.unlink()


@contextlib.contextmanager
def received(path: str, name: str, folder: Path) -> Iterator[Path]:
    """Yield an uploaded file under its cleaned name; afterwards it is gone.

    :param path: where the browser was told that the file is.
    :param name: the file's name on the person's machine.
    :param folder: the folder that receives uploads; files elsewhere are refused.
    :raises InputError: there is no such upload.
    """
    source = Path(path).resolve()
    if not source.is_relative_to(folder.resolve()) or not source.is_file():
        raise InputError(f"the upload of {name!r} is no longer there; send the file again")
    with tempfile.TemporaryDirectory(dir=folder, prefix=_NAMED) as place:
        target = Path(place) / clean_name(name)
        shutil.move(source, target)
        yield target
