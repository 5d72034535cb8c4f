"""Coverage-guided fuzzing for a bounded time; ``FUZZ_SECONDS=600 pytest tests/test_fuzz.py``."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import make_files

SECONDS = int(os.environ.get("FUZZ_SECONDS", "5"))
TEXT = (
    "# Ports\n\nM. Dupont est arrivé à 8 h 30. « Enfin ! » a-t-il dit. Art. 3.\n- un | 1 200,50\n"
)
SEEDS = {
    "txt": TEXT.encode("cp1252", "replace"),
    "eml": make_files.mail(attachment="a.pdf"),
    "zip": make_files.zipped({"a.txt": TEXT, "b/c.html": "<p>x", "../d.md": TEXT}),
    "sentences": TEXT.encode(),
}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: pip install 'qa-sentence-citations[fuzz]'",
)


@pytest.mark.parametrize("target", SEEDS)
def test_no_bytes_make_a_reader_fail_otherwise_than_it_says(target: str, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (seeds / "seed").write_bytes(SEEDS[target])
    options = (f"-max_total_time={SECONDS}", "-timeout=120", "-rss_limit_mb=4096", "-seed=1")
    script = Path(__file__).with_name("fuzz.py")
    done = subprocess.run(
        [sys.executable, str(script), target, *options, str(seeds)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=20 * SECONDS + 600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs is not None, done.stderr[-3000:]
    assert int(runs[1]) > 1
