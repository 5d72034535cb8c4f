"""``python -m qa_eval.reader``: trains the reader and writes its file."""

from __future__ import annotations

import argparse
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from qa.llm.gguf import label, read_general
from qa.settings import Settings, load_settings
from qa.weights import find_gguf
from qa_eval.data import read_text
from qa_eval.reader.rows import load_rows, shuffled, squad_rows, with_others, write_held_out

_HERE = Path(__file__).parents[2]
_STEP_TOKENS = 1000


def main() -> None:
    """Read the rows, train, write."""
    parser = argparse.ArgumentParser(prog="python -m qa_eval.reader", description=__doc__)
    parser.add_argument(
        "--rows", type=Path, nargs="+", default=[_HERE / "train"], help="*.jsonl, or their folders"
    )
    parser.add_argument("--squad", type=Path, help="a SQuAD file to train on, too")
    parser.add_argument("--held-out", type=int, default=80, help="its articles not trained on")
    parser.add_argument("--leave", type=Path, help="write those articles here, train nothing")
    parser.add_argument("--steps", type=int, default=200, help="of some 1000 tokens")
    parser.add_argument("--rate", type=float, default=3e-4, help="the learning rate")
    parser.add_argument("--share", type=float, default=0.62, help="of --rows, beside --squad")
    parser.add_argument(
        "--others", type=float, default=0.3, help="share of --rows asked about another one, too"
    )
    parser.add_argument("--start", type=Path, help="an adapter's GGUF file to go on from")
    parser.add_argument("--mean", type=Path, nargs="+", help="adapters: write their mean, no more")
    parser.add_argument(
        "--judge", type=Path, metavar="FEATURES", help="train nothing: let --start judge these anew"
    )
    parser.add_argument("--out", type=Path, help="the adapter, a GGUF file; with --judge, features")
    options = parser.parse_args()
    if options.leave:
        if options.squad is None:
            parser.error("--leave needs --squad")
        write_held_out(options.squad, options.held_out, options.leave)
        return
    if options.out is None:
        parser.error("--out is needed: where the adapter goes")

    from qa_eval.adapters.lora import Adapted, shape_of, write_gguf, write_mean
    from qa_eval.adapters.train import SHAPE, Recipe, batches, load_base, mixed, train
    from qa_eval.reader.pack import pack

    if options.mean:
        write_mean(options.mean, options.out)
        return
    settings = load_settings()
    if options.judge:
        if options.start is None:
            parser.error("--judge needs --start: the adapter that judges")
        _judge(options.judge, options.start, options.out, settings)
        return
    gguf = find_gguf(settings.gguf, settings.cache, _note)
    written = with_others(load_rows(*options.rows), options.others, seed=0)
    crowd = squad_rows(options.squad, held_out=options.held_out, seed=0) if options.squad else ()
    asked = sum(len(row.asked) for row in (*written, *crowd))
    _note(f"{len(written)} rows written for it, {len(crowd)} of a crowd, {asked} questions")
    shape = shape_of(options.start) if options.start else SHAPE
    recipe = Recipe(options.steps, rate=options.rate, shape=shape)
    when = datetime.now(UTC).date().isoformat()
    about = f"{recipe}, {len(written)} and {len(crowd)} rows, {when}"
    base = label(read_general(gguf))

    def keep(adapters: dict[str, Adapted]) -> None:
        write_gguf(adapters, recipe.shape, options.out, base=base, about=about)
        _note(f"written to {options.out}")

    model, encode, _ = load_base(gguf)
    draw = random.Random(recipe.seed)
    rows = mixed(lambda: written, lambda: crowd, options.share, draw)
    packs = (pack(shuffled(row, draw), encode) for row in rows)
    keep(train(model, batches(packs, _STEP_TOKENS), recipe, _note, options.start, keep))


def _judge(features: Path, adapter: Path, out: Path, settings: Settings) -> None:
    """Write ``features`` with the odds of an adapter, asked about the same candidates."""
    from qa_eval.adapters.lora import attach, load_gguf, shape_of
    from qa_eval.adapters.train import load_base
    from qa_eval.features import judge_again, load_samples
    from qa_eval.reader.judge import judge

    folders = (_HERE / "documents", *settings.documents)
    texts = {path.name: read_text(path) for folder in folders for path in folder.glob("*.txt")}
    model, encode, decode = load_base(find_gguf(settings.gguf, settings.cache, _note))
    load_gguf(attach(model, shape_of(adapter)), adapter)
    odds = judge(load_samples(features), texts, model.eval(), encode, decode, _note)
    judge_again(features, out, odds)
    _note(f"{len(odds)} candidates read; written to {out}")


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
