"""``qa eval``: ask a question set, write predictions and figures; fit the evidence models.

Example: ``qa eval --data eval/dev.jsonl --out eval/results/dev``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from qa import Assistant
from qa.errors import InputError
from qa.settings import Settings
from qa_eval import corpus, report
from qa_eval.baselines import BASELINES
from qa_eval.data import Item
from qa_eval.run import run_items, score, wrong


def main(arguments: Sequence[str], settings: Settings) -> int:
    """Run ``qa eval`` with ``arguments``; return the exit code."""
    options = _parser().parse_args(arguments)
    if not options.data.is_file():
        raise InputError(f"no question set {str(options.data)!r}; give one with --data FILE")
    out: Path = options.out or Path("eval/results") / options.data.stem
    items, paths = corpus.load(
        options.data,
        [options.data.parent / "documents", *settings.documents],
        out / "documents",
        document=options.document,
        near_miss_share=options.near_miss,
        seed=options.seed,
    )
    items = _drawn(items, options.limit, options.seed)
    used = {item.document for item in items}
    paths = tuple(path for path in paths if path.name in used) or paths
    settings = settings.model_copy(update={"store": out / "store"})
    with corpus.open_assistant(items, paths, settings, _note) as assistant:
        if options.fit or options.collect:
            return _fit(assistant, items, out, options)
        _note(f"{len(items)} questions on {len(paths)} documents, {assistant.backend}")
        if not options.corpus and not options.baseline and len(paths) <= options.read:
            assistant.warm(_note)
        asked = BASELINES[options.baseline](assistant) if options.baseline else assistant
        try:
            rows = run_items(asked, items, out, single=not options.corpus, progress=_note)
        except KeyboardInterrupt:
            _note(f"stopped; what is done is kept: the same command with --out {out} goes on")
            raise
    figures = score(items, rows)
    _write(out, options, settings, assistant.backend, figures, [item.id for item in items])
    report.write_html(out / "report.html", items, rows, figures)
    print(report.table(figures))
    _note(f"{len(wrong(items, rows))} to look at; all in {out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qa eval", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("eval/dev.jsonl"))
    parser.add_argument("--document", type=Path, help="the document of questions that name none")
    parser.add_argument("--limit", type=int, help="ask only so many questions, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--baseline", choices=sorted(BASELINES), help="measure this instead of us")
    parser.add_argument("--corpus", action="store_true", help="ask over all documents at once")
    parser.add_argument("--out", type=Path, help="default: eval/results/NAME of the set")
    parser.add_argument(
        "--near-miss", type=float, default=0.0, help="SQuAD: share asked without their paragraph"
    )
    parser.add_argument(
        "--read", type=int, default=24, help="let the model read at most so many documents whole"
    )
    parser.add_argument("--fit", action="store_true", help="collect features; fit the evidence")
    parser.add_argument("--collect", action="store_true", help="collect features, fit nothing")
    parser.add_argument("--also-fit", type=Path, nargs="*", default=[], help="more features.jsonl")
    return parser


def _drawn(items: Sequence[Item], limit: int | None, seed: int) -> tuple[Item, ...]:
    if limit is None or limit >= len(items):
        return tuple(items)
    return tuple(random.Random(seed).sample(list(items), limit))


def _fit(
    assistant: Assistant, items: Sequence[Item], out: Path, options: argparse.Namespace
) -> int:
    """Collect features, fit every part, print cross-validated figures, write ``evidence.json``."""
    from qa_eval.features import collect, load_samples
    from qa_eval.fit import PARTS, as_data, fit_part, summary

    resources = assistant.resources()
    if resources.model is None:
        raise InputError("--fit needs a model; the extractive backend has none")
    voting = len({item.document for item in items}) <= options.read
    if voting:
        assistant.warm(_note)
    path = out / "features.jsonl"
    collect(resources, resources.model, items, path, voting=voting, progress=_note)
    _note(f"features in {path}")
    if options.collect:
        return 0
    own, more = load_samples(path), [s for extra in options.also_fit for s in load_samples(extra)]
    target = Path(str(files("qa") / "data" / "evidence.json"))
    data = json.loads(target.read_text(encoding="utf-8"))
    fitted = {
        "model": resources.model.label,
        "encoder": resources.encoder.id,
        "date": datetime.now(UTC).date().isoformat(),
        "command": "qa eval " + " ".join(sys.argv[2:]),
    }
    for part in PARTS:
        samples = own if part.voting else (*own, *more)
        calibration, outcomes = fit_part(part, samples)
        figures = summary(outcomes)
        data[part.name] = as_data(calibration, {**fitted, "questions": len(samples), **figures})
        print(part.name, json.dumps(figures))
    target.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _note(f"written to {target}")
    return 0


def _write(
    out: Path,
    options: argparse.Namespace,
    settings: Settings,
    backend: str,
    figures: dict[str, object],
    ids: Sequence[str],
) -> None:
    data = options.data.read_bytes()
    results = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "qa eval " + " ".join(sys.argv[2:]),
        "backend": backend,
        "baseline": options.baseline,
        "data": options.data.name,
        "data_sha256": hashlib.sha256(data).hexdigest(),
        "questions": len(ids),
        "settings": json.loads(settings.model_dump_json(exclude={"store", "cache", "documents"})),
        "figures": figures,
    }
    text = json.dumps(results, indent=2, ensure_ascii=False)
    (out / "results.json").write_text(text + "\n", encoding="utf-8")


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
