"""The gate on the real embedded model: 25 fixed questions, bounds far below what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from qa.settings import load_settings
from qa_eval import cli

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


def test_every_bound_of_the_gate_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = load_settings(
        store=tmp_path / "store", documents=(ROOT / "index" / "documents",), backend="embedded"
    )
    gate = str(ROOT / "eval" / "gate.json")
    code = cli.main(["--gate", gate, "--out", str(tmp_path / "out")], settings)
    assert code == 0, capsys.readouterr().out
