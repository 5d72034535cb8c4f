"""What a run is made with: code, data, documents, system, models, prompts, calibration, hashed.

A run goes on only with all of it unchanged. Which questions were drawn (``--limit``) is not part of
it: asking more of the same goes on.

Example: ``of_data(options, settings)["data_sha256"]``.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from qa.documents import split_member
from qa.exchange import Resources
from qa.settings import Settings

# As shipped in the package, or in a checkout's top folder.
_PROMPTS = (Path(str(files("qa") / "prompts")), Path(__file__).parents[2] / "prompts")
# Of the package, what answers nothing.
_SHOWING = frozenset(["api", "doctor", "ui"])
# Of the evaluation, what makes a prediction; scores are made anew from predictions.
_ASKING = ("ablations.py", "baselines.py", "recorder.py", "retrieval.py", "run.py")


def of_data(options: argparse.Namespace, settings: Settings) -> dict[str, object]:
    """Return what is known from the arguments: the set, and how and of whom it is asked."""
    return {
        "code_sha256": _code(),
        "data": options.data.name,
        "data_sha256": _digest([options.data]),
        "document": str(options.document) if options.document else None,
        "near_miss": options.near_miss,
        "counterfactual": options.counterfactual,
        "near_miss_seed": options.seed if options.near_miss else None,
        "system": options.baseline or "qa",
        "corpus": options.corpus,
        "context_tokens": settings.context_tokens,
        "nli": settings.nli,
        "reranker": settings.reranker,
        "seed": settings.seed,
    }


def of_documents(paths: Sequence[Path], *, voting: bool) -> dict[str, object]:
    """Return the hash of the documents of the whole set, and whether the model reads them whole."""
    return {"documents_sha256": _digest(paths), "voting": voting}


def of_models(resources: Resources) -> dict[str, object]:
    """Return the models, and the prompts and calibration that they are used with."""
    data = Path(str(files("qa") / "data"))
    return {
        "backend": resources.backend,
        "model": resources.model.identity if resources.model else None,
        "encoder": resources.encoder.id,
        "prompts_sha256": _digest(path for folder in _PROMPTS for path in folder.glob("*.txt")),
        "evidence_sha256": _digest(
            data / name for name in ("evidence.json", "order.json", "whole.json")
        ),
    }


def _answers(module: Path) -> bool:
    return module.parts[0] not in _SHOWING


def _code() -> str:
    """Return the hash of what answers: code, and data but for weights (the model's identity)."""
    package = Path(str(files("qa")))
    data = (path for path in (package / "data").rglob("*") if path.is_file())
    return _digest(
        sorted(
            (
                *(code for code in package.rglob("*.py") if _answers(code.relative_to(package))),
                *(path for path in data if path.suffix != ".gguf"),
                *(Path(__file__).with_name(name) for name in _ASKING),
            )
        )
    )


def _digest(paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        file, _ = split_member(path)
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]
