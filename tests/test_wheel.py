"""The wheel holds all that it needs, and works installed in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import qa

ROOT = Path(__file__).parents[1]
ARTICLE = ROOT / "index" / "documents" / "irak-coalition.txt"

pytestmark = pytest.mark.e2e


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder``, where nothing of the checkout is found by chance."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder)
    done = run(sys.executable, "-m", "pip", "wheel", ROOT, *options, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with only this wheel of its own; the libraries are this environment's."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment, folder=environment.parent)
    python = environment / "bin" / "python"
    options = ("--no-deps", "--no-index", wheel)
    done = run(
        sys.executable, "-m", "pip", "--python", python, "install", *options, folder=wheel.parent
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (packages,) = environment.glob("lib/python*/site-packages")
    # The folder is put on the path without its own .pth files, so the checkout is not.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return environment


def test_the_wheel_holds_modules_prompts_tables_and_types(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "qa"
    files = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    prompts = {f"qa/prompts/{path.name}" for path in (ROOT / "prompts").glob("*.txt")}
    harness = {
        path.relative_to(ROOT / "eval").as_posix()
        for path in (ROOT / "eval" / "qa_eval").rglob("*.py")
    }
    assert prompts
    assert {"qa/py.typed", "qa/cli.py"} <= files
    assert files | prompts | harness <= held


def test_the_wheel_holds_no_tests_documents_or_models_but_the_adapters(wheel: Path) -> None:
    top = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert top == {"qa", "qa_eval", f"qa_sentence_citations-{wheel.name.split('-')[1]}.dist-info"}
    packed = {one.filename: one.compress_size for one in zipfile.ZipFile(wheel).infolist()}
    reader, voter = (packed.pop(f"qa/data/{name}.gguf") for name in ("reader", "voter"))
    assert 20_000_000 < reader < 28_000_000
    assert 10_000_000 < voter < 14_000_000
    assert sum(packed.values()) < 2_000_000


def test_the_licence_is_in_the_wheel(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (licence,) = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    assert "Apache License" in archive.read(licence).decode()


def test_the_installed_package_is_the_wheels_and_not_the_checkouts(
    installed: Path, tmp_path: Path
) -> None:
    code = "import qa; print(qa.__file__)"
    done = run(installed / "bin" / "python", "-c", code, folder=tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(installed), done.stderr
    assert not Path(qa.__file__).is_relative_to(installed)


def test_the_installed_command_answers_from_another_folder(installed: Path, tmp_path: Path) -> None:
    command = installed / "bin" / "qa"
    assert run(command, "--help", folder=tmp_path).returncode == 0
    done = run(command, "index", ARTICLE, "--backend", "embedded", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    question = "Combien de soldats les États-Unis ont-ils en Syrie ?"
    done = run(command, "ask", question, "--json", "--backend", "embedded", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "900" in answer["text"]
    assert "900" in answer["citations"][0]["text"]
