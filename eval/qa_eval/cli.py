"""``qa eval``: ask a question set, write predictions and figures; fit, compare, guard.

Example: ``qa eval --data eval/dev.jsonl --out eval/results/dev``.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import metadata
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from qa import Assistant
from qa.embed import Encoder
from qa.errors import InputError
from qa.llm.base import ChatModel
from qa.settings import Settings
from qa_eval import compare, corpus, manifest, report
from qa_eval.baselines import BASELINES, OTHERS, WRITING
from qa_eval.data import Item
from qa_eval.figures import by_group, figures
from qa_eval.gate import Gate, load_gate
from qa_eval.judge import Judge
from qa_eval.predictions import claim, read_predictions, refuse_other
from qa_eval.progress import Progress
from qa_eval.recorder import Recorder
from qa_eval.retrieval import searcher
from qa_eval.run import run_items
from qa_eval.score import SCORES, score_items, write_scores
from qa_eval.swap import swap_values

if TYPE_CHECKING:
    from qa_eval.features import Sample
    from qa_eval.fit import Part

_NEEDED = ("ir_measures", "matplotlib")
_FEATURES = "features.jsonl"


def main(arguments: Sequence[str], settings: Settings) -> int:
    """Run ``qa eval`` with ``arguments``; return the exit code."""
    options = _parser().parse_args(arguments)
    options.command = _command(arguments, settings)
    if options.compare:
        print(compare.render(compare.compare(*options.compare)))
        return 0
    if options.from_feedback:
        return _feedback(options.from_feedback, settings)
    if options.fit:
        if options.known:
            raise InputError("--known goes with features that are collected, not with --fit FILE")
        return _fit_kept(options, settings)
    return _measure(arguments, options, settings)


def _measure(arguments: Sequence[str], options: argparse.Namespace, settings: Settings) -> int:
    """Ask a set's questions, then score the answers or fit; return the exit code."""
    _require_packages()
    gate = load_gate(options.gate) if options.gate else None
    options.data = gate.data if gate else options.data
    _require_possible(options, settings)
    out: Path = options.out or Path("eval/results") / _name(options)
    fitting = options.fit is not None or options.collect
    made_with = manifest.of_data(options, settings)
    if not fitting:
        refuse_other(out, made_with)
    items, paths = corpus.load(
        options.data,
        [options.data.parent / "documents", *settings.documents],
        out / "documents",
        document=options.document,
        near_miss_share=options.near_miss,
        counterfactual=options.counterfactual,
        seed=options.seed,
    )
    options.voting = _votes(options, len(paths))
    made_with |= manifest.of_documents(paths, voting=options.voting)
    if not fitting:
        refuse_other(out, made_with)
    items = gate.choose(items) if gate else _drawn(items, options.limit, options.seed)
    if fitting:
        items = tuple(item for item in items if item.kind != "overview")
    paths = paths if options.corpus else _asked(items, paths)
    settings = settings.model_copy(update={"store": out / "store"})
    with _stoppable(items, out, _resume(arguments, out, settings), fitting=fitting):
        with corpus.open_assistant(items, paths, settings, _note) as assistant:
            if fitting:
                return _fit(assistant, items, out, options)
            claim(out, made_with | manifest.of_models(assistant.resources()))
            run = _run(assistant, items, out, options)
        return _finish(run, out, options, settings, gate)


def _run(
    assistant: Assistant, items: Sequence[Item], out: Path, options: argparse.Namespace
) -> report.Run:
    """Ask what was not asked yet, and score everything."""
    resources = assistant.resources()
    heading = f"{options.baseline or 'qa'} · {assistant.backend} · {options.data.name}"
    used = {item.document for item in items}
    _note(f"{heading}: {len(items)} questions on {len(used)} documents")
    watch = Recorder(resources.model) if resources.model is not None else None
    if watch is not None:
        assistant.replace_model(watch)
    done = read_predictions(out)
    open_items = sum(item.id not in done for item in items)
    baseline = BASELINES.get(options.baseline)
    if open_items and options.voting:
        assistant.warm(_note)
    with Progress(len(items), len(items) - open_items) as progress:
        predictions = run_items(
            baseline(assistant, items) if baseline else assistant,
            items,
            out,
            single=not options.corpus,
            watch=watch,
            search=None if options.baseline in OTHERS else searcher(assistant),
            progress=progress,
        )
    texts = {info.id: assistant.document(info.id).text for info in assistant.documents()}
    judge = Judge(resources.entailment)
    scored = score_items(items, predictions, texts, judge)
    scores = [
        replace(score, values={**score.values, **swap_values(given, texts, resources.encoder)})
        for score, given in zip(scored, predictions, strict=True)
    ]
    return report.Run(
        heading=heading,
        items=items,
        predictions=predictions,
        scores=scores,
        texts=texts,
        figures=figures(scores),
        groups=by_group(scores),
    )


@contextmanager
def _stoppable(items: Sequence[Item], out: Path, resume: str, *, fitting: bool) -> Iterator[None]:
    """Say what is kept, and the command that goes on, when the work inside ends before its time."""
    try:
        yield
    except InputError:  # the same command would be refused again
        raise
    except BaseException:  # whatever else ended it, Ctrl-C and a dead model included
        what = "answers"
        kept: Collection[object] = read_predictions(out)
        if fitting:
            from qa_eval.features import ids

            what, kept = "features", ids(out / _FEATURES)
        count = sum(item.id in kept for item in items)
        _note(f"stopped; {count} of {len(items)} {what} are kept. To go on: {resume}")
        raise


def _finish(
    run: report.Run, out: Path, options: argparse.Namespace, settings: Settings, gate: Gate | None
) -> int:
    """Write the results and print them; 1 when a gate's bound is broken."""
    write_scores(out / SCORES, run.scores)
    _write(out, options, settings, run)
    report.write_html(out / "report.html", run)
    print(report.table(run))
    _note(f"{len(report.cases(run))} to look at in {out / 'report.html'}")
    if gate is None:
        return 0
    verdicts = gate.verdicts(run.figures)
    print("\nGate", *verdicts, sep="\n")
    return int(not all(verdict.held for verdict in verdicts))


def _require_packages() -> None:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"measuring needs {' and '.join(missing)}, not installed here: "
            "pip install 'qa-sentence-citations[eval]'"
        )


def _require_possible(options: argparse.Namespace, settings: Settings) -> None:
    """Refuse what cannot be measured, before anything is loaded."""
    if not options.data.is_file():
        raise InputError(f"no question set {str(options.data)!r}; give one with --data FILE")
    if options.baseline == "oracle" and options.corpus:
        raise InputError(
            "--baseline oracle writes from gold sentences of the question's own document; "
            "leave out --corpus"
        )
    if options.baseline in WRITING and settings.backend == "extractive":
        raise InputError(
            f"--baseline {options.baseline} needs a model; the extractive backend has none"
        )
    if options.known and not (options.collect or options.fit is not None):
        raise InputError("--known goes with features that are collected: add --collect or --fit")
    _require_files("--known", options.known)


def _require_files(option: str, paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.is_file():
            raise InputError(f"{option}: there is no file {str(path)!r}; correct the path")


def _votes(options: argparse.Namespace, documents: int) -> bool:
    """Tell whether the model reads documents whole: a matter of the set, not of what is drawn."""
    reads = options.baseline in (None, "no-check") and not options.corpus
    return bool(reads and documents <= options.read)


def _asked(items: Sequence[Item], paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the paths of the documents that the items ask about."""
    used = {item.document for item in items}
    return tuple(path for path in paths if corpus.document_id(path) in used)


def _name(options: argparse.Namespace) -> str:
    """Return the default folder of a run, another one for each system."""
    name = options.gate.stem if options.gate else options.data.stem
    if options.counterfactual:
        name = f"{name}-counterfactual"
    return f"{name}-{options.baseline}" if options.baseline else str(name)


def _command(arguments: Sequence[str], settings: Settings) -> str:
    """Return the command of this run, to be typed again."""
    backend = () if settings.backend == "auto" else ("--backend", settings.backend)
    return shlex.join(["qa", "eval", *arguments, *backend])


def _resume(arguments: Sequence[str], out: Path, settings: Settings) -> str:
    """Return the command that goes on with this run."""
    named = any(part == "--out" or part.startswith("--out=") for part in arguments)
    return _command([*arguments, *(() if named else ("--out", str(out)))], settings)


def _feedback(path: Path, settings: Settings) -> int:
    """Write what people judged in the chat as a question set."""
    from qa_eval.feedback import stored, write_feedback

    with stored(settings.store) as judged:
        written = write_feedback(judged, path)
    _note(f"{written.items} questions in {path}, to measure with: qa eval --data {path}")
    _note(f"{written.to_complete} to complete by hand in {path.with_suffix('.todo.jsonl')}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qa eval", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("eval/dev.jsonl"))
    parser.add_argument("--document", type=Path, help="the document of questions that name none")
    parser.add_argument("--limit", type=_count, help="ask only so many questions, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--baseline", choices=sorted(BASELINES), help="measure this instead of us")
    parser.add_argument("--corpus", action="store_true", help="ask over all documents at once")
    parser.add_argument("--out", type=Path, help="default: eval/results/NAME of the set")
    parser.add_argument(
        "--near-miss", type=_share, default=0.0, help="SQuAD: share asked without their paragraph"
    )
    parser.add_argument(
        "--counterfactual",
        action="store_true",
        help="ask for numbers, of documents in which they were changed: who follows the document?",
    )
    parser.add_argument(
        "--read", type=int, default=24, help="let the model read at most so many documents whole"
    )
    parser.add_argument(
        "--fit",
        type=Path,
        nargs="*",
        metavar="FILE",
        help="fit the evidence with these features; without any, collect them from --data first",
    )
    parser.add_argument("--parts", nargs="+", help="fit only these parts of evidence.json")
    parser.add_argument("--collect", action="store_true", help="collect features, fit nothing")
    parser.add_argument(
        "--known",
        type=Path,
        nargs="+",
        default=(),
        metavar="FILE",
        help="features of the same reader: what it said of the same sentences is not asked again",
    )
    parser.add_argument(
        "--compare", type=Path, nargs=2, metavar=("A", "B"), help="test two finished runs' folders"
    )
    parser.add_argument("--gate", type=Path, help="ask a gate's questions; fail below its bounds")
    parser.add_argument(
        "--from-feedback", type=Path, metavar="FILE", help="write the chat's thumbs as questions"
    )
    return parser


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return share


def _drawn(items: Sequence[Item], limit: int | None, seed: int) -> tuple[Item, ...]:
    if limit is None or limit >= len(items):
        return tuple(items)
    return tuple(random.Random(seed).sample(list(items), limit))


def _fit(
    assistant: Assistant, items: Sequence[Item], out: Path, options: argparse.Namespace
) -> int:
    """Collect features, and unless that is all that is wanted, fit the evidence with them."""
    from qa_eval.features import collect, collected, load_samples
    from qa_eval.fit import parts_for

    resources = assistant.resources()
    model = resources.model
    if model is None:
        raise InputError("--fit needs a model; the extractive backend has none")
    parts = parts_for(options.parts, reading=model.reads)
    path = out / _FEATURES
    collected(path, model.label)  # another model's are refused before the documents are read
    known = _known(options.known, model)
    if options.voting:
        assistant.warm(_note)
    collect(resources, model, items, path, voting=options.voting, known=known, progress=_note)
    _note(f"features in {path}")
    if not options.collect:
        _fit_parts(parts, load_samples(path), model.label, resources.encoder, options.command)
    return 0


def _known(paths: Sequence[Path], model: ChatModel) -> list[Sample]:
    """Read features whose odds are to be taken over.

    :raises InputError: they are not of this model, or of one that was not trained to read.
    """
    from qa_eval.features import load_samples, told_model

    known: list[Sample] = []
    for path in paths:
        told, samples = told_model(path), load_samples(path)
        if told != model.label or any(sample.write for sample in samples):
            raise InputError(
                f"--known: {path} holds features of {told!r}, or of other adapters than "
                f"{model.label!r} has, which is asked now; leave it out"
            )
        known += samples
    return known


def _fit_kept(options: argparse.Namespace, settings: Settings) -> int:
    """Fit the evidence with features that are kept; no language model is needed.

    :raises InputError: a file is not there or names another model than the first.
    """
    from qa.embed import load_encoder
    from qa_eval.features import collected, load_samples, told_model
    from qa_eval.fit import parts_for

    _require_files("--fit", options.fit)
    model = told_model(options.fit[0])
    for path in options.fit:
        collected(path, model)
    # A model that reads is heard before it writes, so that its writing has no odds of its own.
    samples = [sample for path in options.fit for sample in load_samples(path)]
    parts = parts_for(options.parts, reading=not any(sample.write for sample in samples))
    encoder = load_encoder(settings.encoder, settings.cache, settings.threads, progress=_note)
    _fit_parts(parts, samples, model, encoder, options.command)
    return 0


def _fit_parts(
    parts: Sequence[Part], samples: Sequence[Sample], model: str, encoder: Encoder, command: str
) -> None:
    """Fit every part, print cross-validated figures, write ``evidence.json``.

    :param model: the label of the model that the features were collected with.
    :param command: what this was asked for with, to be written down.
    """
    from qa_eval.features import with_foreignness
    from qa_eval.fit import as_data, fit_part, summary, usable

    every = with_foreignness(samples, encoder)
    target = Path(str(files("qa") / "data" / "evidence.json"))
    data = json.loads(target.read_text(encoding="utf-8"))
    fitted = {
        "model": model,
        "encoder": encoder.id,
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
    }
    for part in parts:
        used = usable(part, every)
        calibration, outcomes = fit_part(part, used)
        figures = summary(outcomes)
        data[part.name] = as_data(calibration, {**fitted, "questions": len(used), **figures})
        print(part.name, json.dumps(figures))
    target.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _note(f"written to {target}")


def _write(out: Path, options: argparse.Namespace, settings: Settings, run: report.Run) -> None:
    data = json.loads((out / "run.json").read_text(encoding="utf-8"))
    results = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": options.command,
        "version": metadata.version("qa-sentence-citations"),
        **data,
        "baseline": options.baseline,
        "questions": len(run.items),
        "settings": json.loads(settings.model_dump_json(exclude={"store", "cache", "documents"})),
        "figures": {name: asdict(figure) for name, figure in run.figures.items()},
        "groups": {
            group: {name: asdict(figure) for name, figure in row.items()}
            for group, row in run.groups.items()
        },
    }
    text = json.dumps(results, indent=2, ensure_ascii=False)
    (out / "results.json").write_text(text + "\n", encoding="utf-8")


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
