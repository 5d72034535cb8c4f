"""``python -m qa_eval.reader``: trains the reader and writes its file."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from qa.llm.gguf import label, read_general
from qa.settings import Settings, load_settings
from qa.weights import find_gguf
from qa_eval.data import read_text
from qa_eval.reader.rows import Row, load_rows, shuffled, squad_rows, with_others, write_held_out
from qa_eval.reader.together import article_rows, document_rows
from qa_eval.voter.sheets import load_documents

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
    parser.add_argument(
        "--together", type=float, default=0.0, help="share of rows that are texts of a document"
    )
    parser.add_argument(
        "--documents", type=Path, default=_HERE / "train" / "documents", help="for --together"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the rows and their order")
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
    from qa_eval.adapters.train import SHAPE, Recipe, batches, load_base, train
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
    shape = shape_of(options.start) if options.start else SHAPE
    recipe = Recipe(options.steps, rate=options.rate, shape=shape, seed=options.seed)
    rows, said = _rows(options, random.Random(recipe.seed))
    _note(said)
    about = f"{recipe}, {said}, {datetime.now(UTC).date().isoformat()}"
    base = label(read_general(gguf))

    def keep(adapters: dict[str, Adapted]) -> None:
        write_gguf(adapters, recipe.shape, options.out, base=base, about=about)
        _note(f"written to {options.out}")

    model, encode, _ = load_base(gguf)
    packs = (pack(row, encode) for row in rows)
    keep(train(model, batches(packs, _STEP_TOKENS), recipe, _note, options.start, keep))


def _rows(options: argparse.Namespace, draw: random.Random) -> tuple[Iterator[Row], str]:
    """Return the rows to train on, without end, and what they are drawn from, in words."""
    from qa_eval.adapters.train import mixed

    squad, held_out = options.squad, options.held_out
    written = with_others(load_rows(*options.rows), options.others, seed=0)
    crowd = squad_rows(squad, held_out=held_out, seed=0) if squad else ()
    documents = load_documents(options.documents) if options.together else ()
    alone = mixed(lambda: written, lambda: crowd, options.share, draw)
    together = mixed(
        lambda: document_rows(documents, draw),
        lambda: article_rows(squad, held_out, draw) if squad else [],
        options.share,
        draw,
    )
    chosen = (next(together if draw.random() < options.together else alone) for _ in count())
    said = f"{len(written)} and {len(crowd)} rows, {len(documents)} documents"
    return (shuffled(row, draw) for row in chosen), said


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
