"""What `qa bench` measures is the process that it starts, in parts that can be asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from qa.errors import InputError
from qa.settings import Settings
from qa_eval import bench
from qa_eval.bench_cold import _run
from qa_eval.bench_lines import Line, ratio

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@linux
def test_the_peak_is_that_of_the_process_and_not_of_the_one_that_started_it(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path, documents=(tmp_path,))
    held = np.ones(2**26)  # 0.5 GB of this process
    empty = _run("told()", [], settings, tmp_path)
    full = _run("held = bytearray(b'1') * 2**28\ntold()", [], settings, tmp_path)
    assert held[-1] == 1
    assert empty.peak_gb < 0.1
    assert 0.25 < full.peak_gb < 0.35
    assert empty.cpu_s > 0


@linux
def test_a_process_gets_the_store_and_the_documents_and_its_failure_is_told(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path, documents=(tmp_path / "é.txt",), backend="extractive")
    code = """
from qa.settings import load_settings
found = load_settings()
assert str(found.store) == sys.argv[1]
assert [path.name for path in found.documents] == ["é.txt"]
assert found.backend == "extractive"
told()
"""
    _run(code, [str(tmp_path / "other")], settings, tmp_path / "other")
    with pytest.raises(RuntimeError, match="AssertionError"):
        _run(code, ["elsewhere"], settings, tmp_path / "other")


def test_a_ratio_is_one_of_medians_and_a_line_says_what_is_over() -> None:
    assert ratio([1, 100, 3], [2, 1, 50]) == 1.5
    assert str(Line("what", 1.51, 1.5)).endswith("OVER")
    assert str(Line("what", 1.5, 1.5)).endswith("ok")


def test_unknown_parts_too_few_rounds_and_no_document_are_refused(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path)
    with pytest.raises(SystemExit):
        bench.main(["--only", "nothing"], settings)
    for arguments in (["--rounds", "1"], ["--only", "cold", "--rounds", "0"]):
        with pytest.raises(SystemExit):
            bench.main(arguments, settings)
    with pytest.raises(InputError, match=r"none\.txt"):
        bench.main(["--only", "cold", "--document", str(tmp_path / "none.txt")], settings)
