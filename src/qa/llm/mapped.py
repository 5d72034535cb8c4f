"""Give back the pages of a model's file that were copied into another layout.

llama.cpp maps the file and reads all of it, then lays most weights out anew for this processor. Of
the mapped originals only the others are needed again; those come back from the page cache when they
are touched. It knows nothing of models.

Example: ``give_back(Path("model.gguf"))`` after the model was loaded.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_MAPS = Path("/proc/self/maps")
_MADV_DONTNEED = 4  # of Linux: a file's mapping is read from the file again when it is touched


def give_back(file: Path) -> int:
    """Let go of what this process maps of ``file``; its contents stay readable where they are.

    :param file: mapped shared and read-only: then nothing can be lost.
    :return: how many bytes were let go of; 0 on systems that are not Linux.
    """
    if not sys.platform.startswith("linux"):
        return 0
    libc, given = ctypes.CDLL(None, use_errno=True), 0
    for start, end in _mappings(file):
        size = end - start
        if libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _MADV_DONTNEED):
            log.info("%d bytes of %r stay in memory: %d", size, str(file), ctypes.get_errno())
        else:
            given += size
    return given


def _mappings(file: Path) -> Iterator[tuple[int, int]]:
    """Yield the addresses at which ``file`` is mapped shared and read-only."""
    wanted = str(file.resolve())
    try:
        lines = _MAPS.read_text("utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        log.info("which pages are mapped is not known (%s)", error)
        return
    for line in lines:
        # «7f38-7f39 r--s 005ac000 fe:00 16039959     /path/with spaces.gguf»
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5] == wanted and fields[1] == "r--s":
            start, end = fields[0].split("-")
            yield int(start, 16), int(end, 16)
