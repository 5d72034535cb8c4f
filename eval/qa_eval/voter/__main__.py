"""``python -m qa_eval.voter``: trains the voter and writes its file."""

from __future__ import annotations

import argparse
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from qa.llm.gguf import label, read_general
from qa.settings import load_settings
from qa.weights import find_gguf
from qa_eval.voter.sheets import (
    Sheet,
    document_sheets,
    load_documents,
    load_passages,
    squad_sheets,
    written_sheets,
)

_HERE = Path(__file__).parents[2]
# Tokens of a step, those of the documents included: about two sheets.
_STEP_TOKENS = 1500


def main() -> None:
    """Make the sheets, train, write."""
    parser = argparse.ArgumentParser(prog="python -m qa_eval.voter", description=__doc__)
    parser.add_argument("--rows", type=Path, default=_HERE / "train", help="the folder of *.jsonl")
    parser.add_argument("--squad", type=Path, help="a SQuAD file to train on, too")
    parser.add_argument("--held-out", type=int, default=80, help="its articles not trained on")
    parser.add_argument("--steps", type=int, default=230, help="of about two sheets")
    parser.add_argument("--rate", type=float, default=3e-4, help="the learning rate")
    parser.add_argument("--share", type=float, default=0.55, help="of --rows, beside --squad")
    parser.add_argument("--start", type=Path, help="an adapter's GGUF file to go on from")
    parser.add_argument("--seed", type=int, default=1, help="of the sheets and their order")
    parser.add_argument("--out", type=Path, required=True, help="the adapter, a GGUF file")
    options = parser.parse_args()

    from qa_eval.adapters.lora import Adapted, shape_of, write_gguf
    from qa_eval.adapters.train import SHAPE, Recipe, batches, load_base, mixed, train
    from qa_eval.voter.pack import invocation, pack

    settings = load_settings()
    gguf = find_gguf(settings.gguf, settings.cache, _note)
    passages, documents = load_passages(options.rows), load_documents(options.rows / "documents")
    if not (passages or documents):
        parser.error(f"--rows {options.rows}: no *.jsonl there, nor in its folder documents")
    draw = random.Random(options.seed)
    _note(f"{len(passages)} passages, {len(documents)} documents")
    shape = shape_of(options.start) if options.start else SHAPE
    recipe = Recipe(options.steps, rate=options.rate, shape=shape, seed=options.seed)
    when = datetime.now(UTC).date().isoformat()
    about = f"{recipe}, {len(passages)} and {len(documents)} rows, {when}"
    model, encode, _ = load_base(gguf)

    def written() -> list[Sheet]:
        return [*written_sheets(passages, draw), *document_sheets(documents, draw)]

    def crowd() -> list[Sheet]:
        return squad_sheets(options.squad, options.held_out, draw) if options.squad else []

    def keep(adapters: dict[str, Adapted]) -> None:
        base, called = label(read_general(gguf)), invocation(encode)
        write_gguf(adapters, shape, options.out, base=base, about=about, invocation=called)
        _note(f"written to {options.out}")

    packs = (pack(sheet, encode) for sheet in mixed(written, crowd, options.share, draw))
    steps = batches(packs, _STEP_TOKENS)
    keep(train(model, steps, recipe, _note, options.start, keep, inside=False))


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
