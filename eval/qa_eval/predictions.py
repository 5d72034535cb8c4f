"""What a run answered, one JSON object a line, and what the run was made with.

A line is written as soon as its question is answered, so an interrupted run goes on where it
stopped; ``run.json`` beside the lines says with which data, system and settings, so that a run
cannot go on with others. Nothing here asks or scores.

Example: ``read_predictions(Path("eval/results/dev"))["contrat-001"].answered``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from qa.errors import InputError

PREDICTIONS, RUN = "predictions.jsonl", "run.json"
Manifest = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Pointer:
    """A place in a document: half-open character offsets."""

    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Said:
    """One statement of an answer."""

    text: str
    support: str
    citations: tuple[Pointer, ...]


@dataclass(frozen=True, slots=True)
class Pointers:
    """How many pointers there were, and how many of them lead to real text."""

    valid: int
    all: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the system said to one question, and at what cost.

    ``before``: the ids or markers that the model itself wrote; ``after``: the citations shown.
    ``calls``: of the model. ``chosen``: the evidence that the answer was written from; ``draft``:
    the text before the check.
    ``answerable``: what decided whether to answer (None: the confidence).
    ``retrieved``: the best sentences for the question as it was used, ``retrieved_raw`` for the
    question as asked, best first; empty for systems that do not tell.
    """

    id: str
    question: str
    answered: bool
    text: str
    citations: tuple[Pointer, ...]
    confidence: float
    latency_s: float = 0.0
    first_token_s: float = 0.0
    prompt_tokens: int = 0
    computed_tokens: int = 0
    generated_tokens: int = 0
    calls: int = 0
    statements: tuple[Said, ...] = ()
    standalone: str = ""
    before: Pointers = Pointers(0, 0)
    after: Pointers = Pointers(0, 0)
    chosen: tuple[Pointer, ...] = ()
    draft: str = ""
    retrieved: tuple[Pointer, ...] = ()
    retrieved_raw: tuple[Pointer, ...] = ()
    notices: tuple[str, ...] = ()
    answerable: float | None = None


def open_log(folder: Path) -> TextIO:
    """Open the lines for adding; a last line that was cut is ended first."""
    path = folder / PREDICTIONS
    cut = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    file = path.open("a", encoding="utf-8")
    if cut:
        file.write("\n")
    return file


def write_line(file: TextIO, prediction: Prediction) -> None:
    """Add one prediction, at once."""
    file.write(json.dumps(asdict(prediction), ensure_ascii=False) + "\n")
    file.flush()


def read_predictions(folder: Path) -> dict[str, Prediction]:
    """Return the predictions made so far, by id; a last line cut by an interruption is left out.

    :raises InputError: a line that is no prediction, naming file and line.
    """
    path = folder / PREDICTIONS
    if not path.exists():
        return {}
    found = {}
    lines = path.read_text(encoding="utf-8").split("\n")  # a question may hold U+2028
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut by an interruption; the question is asked again
        try:
            found[row["id"]] = _prediction(row)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path}, line {number}: not a prediction of this version ({error!r}); "
                f"delete the folder {str(folder)!r}, or give another one with --out"
            ) from error
    return found


def _prediction(row: Mapping[str, Any]) -> Prediction:
    given = dict(row)
    for name in ("citations", "chosen", "retrieved", "retrieved_raw"):
        given[name] = _pointers(given[name])
    given["statements"] = tuple(
        Said(said["text"], said["support"], _pointers(said["citations"]))
        for said in given["statements"]
    )
    for name in ("before", "after"):
        given[name] = Pointers(**given[name])
    return Prediction(**{**given, "notices": tuple(given["notices"])})


def _pointers(rows: list[dict[str, Any]]) -> tuple[Pointer, ...]:
    return tuple(Pointer(**row) for row in rows)


def refuse_other(folder: Path, manifest: Manifest) -> None:
    """Refuse a folder that holds a run made with something else; nothing is written.

    :param manifest: what this run is made with, as far as it is known yet.
    :raises InputError: it says what was different.
    """
    if (folder / RUN).exists():
        before = read_manifest(folder)
        other = [name for name in manifest if before.get(name) != manifest[name]]
        if other:
            changes = "; ".join(
                f"{name} was {before.get(name)!r:.60}, is {manifest[name]!r:.60}" for name in other
            )
            raise InputError(
                f"{str(folder)!r} holds a run made with something else ({changes}); "
                "give another folder with --out, or delete this one"
            )
    elif (folder / PREDICTIONS).exists():
        raise InputError(
            f"{str(folder)!r} holds predictions but no {RUN}, so nobody can tell what they were "
            "made with; give another folder with --out, or delete this one"
        )


def claim(folder: Path, manifest: Manifest) -> None:
    """Make ``folder`` this run's, or go on with the same run.

    :raises InputError: it holds a run that was made with something else.
    """
    refuse_other(folder, manifest)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (folder / RUN).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, object]:
    """Return what a run was made with.

    :raises InputError: there is no run in ``folder``, or its description cannot be read.
    """
    path = folder / RUN
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{str(folder)!r} holds no run ({path.name}: {error}); give a folder that "
            "`qa eval --out DIR` wrote"
        ) from error
    if not isinstance(manifest, dict):
        raise InputError(f"{path} holds no run; give a folder that `qa eval --out DIR` wrote")
    return manifest
