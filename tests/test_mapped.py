"""Giving back mapped pages: they leave memory, their contents stay readable."""

from __future__ import annotations

import mmap
import re
import sys
from pathlib import Path

import pytest

from qa.llm.mapped import give_back

PAGES = 64
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages of Linux")


def resident_kb(file: Path) -> int:
    blocks = re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text("utf-8"))
    sizes = [re.search(r"^Rss: +(\d+)", one, re.M) for one in blocks if str(file) in one]
    return sum(int(size[1]) for size in sizes if size)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a model.gguf"
    path.write_bytes(b"".join(bytes([n]) * mmap.PAGESIZE for n in range(PAGES)))
    return path


def test_pages_leave_memory_and_read_the_same_again(file: Path) -> None:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert [mapped[n * mmap.PAGESIZE] for n in range(PAGES)] == list(range(PAGES))
        assert resident_kb(file) == PAGES * mmap.PAGESIZE // 1024
        assert give_back(file) == PAGES * mmap.PAGESIZE
        assert resident_kb(file) == 0
        assert [mapped[n * mmap.PAGESIZE] for n in range(PAGES)] == list(range(PAGES))


def test_a_mapping_that_was_written_to_loses_nothing(file: Path) -> None:
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, flags=mmap.MAP_PRIVATE)
        mapped[0] = 7
        assert give_back(file) == 0
        assert mapped[0] == 7
        mapped.close()


def test_a_file_that_is_not_mapped_gives_nothing(file: Path, tmp_path: Path) -> None:
    assert give_back(file) == 0
    assert give_back(tmp_path / "none.gguf") == 0
