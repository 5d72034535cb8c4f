"""``python -m qa_eval.order --squad FILE``: fits the order in which sentences are read.

A pairwise logistic model (Herbrich et al. 2000, without intercept) over the first hits of each
question of a SQuAD file, each article searched alone: a gold sentence is to stand before the
others. The articles held out of the reader's training are held out here, too, and measured on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from qa.chunks import make_chunks
from qa.embed import Encoder, load_encoder
from qa.ingest import embed_chunks
from qa.order import ORDERED, in_order, order_features
from qa.retrieve import retrieve
from qa.sentences import split_sentences
from qa.settings import load_settings
from qa.store import Origin, Store
from qa.types import Document, Hit
from qa_eval.data import Item
from qa_eval.reader.rows import held_out_titles
from qa_eval.squad import load_squad

# Sentences that a gold one is compared with.
_RIVALS = 10
_RANKS = (1, 2, 3, 4, 5, 8)


@dataclass(frozen=True, slots=True)
class Found:
    """A question's hits, and which of them are gold."""

    question: str
    hits: tuple[Hit, ...]
    gold: tuple[bool, ...]


def find(squad: Path, titles: Sequence[str], encoder: Encoder) -> Iterator[Found]:
    """Search articles of a SQuAD file, each alone, for each of its questions."""
    documents, items = load_squad(squad)
    asked: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        asked[item.document].append(item)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder), encoder.id, encoder.dim) as store,
    ):
        for title in titles:
            document = Document(title, title, documents[title])
            sentences = split_sentences(document)
            chunks = make_chunks(document, sentences)
            store.put(document, Origin(), sentences, chunks, embed_chunks(chunks, encoder))
            for item in asked[title]:
                gold = {span for one in item.evidence for span in one}
                hits = retrieve(item.question, store, encoder, top_k=ORDERED, documents=[title])
                marks = ((h.sentence.start, h.sentence.end) in gold for h in hits)
                yield Found(item.question, hits, tuple(marks))


def fit(founds: Sequence[Found]) -> dict[str, float]:
    """Return the weights that put gold sentences before others."""
    pairs: list[npt.NDArray[np.float64]] = []
    names: list[str] = []
    for found in founds:
        features = order_features(found.question, found.hits)
        names = list(features[0]) if features else names
        values = np.array([[row[name] for name in names] for row in features])
        gold = np.array(found.gold, dtype=np.bool_)
        for one in values[gold] if len(values) else ():
            pairs.extend(one - other for other in values[~gold][:_RIVALS])
    differences = np.array(pairs)
    spread = np.maximum(differences.std(axis=0), 1e-9)  # of what never differs, nothing is learned
    both = np.concatenate([differences, -differences]) / spread
    labels = np.arange(len(both)) < len(differences)
    model = LogisticRegression(fit_intercept=False, max_iter=2000).fit(both, labels)
    return dict(zip(names, (model.coef_[0] / spread).round(3).tolist(), strict=True))


def recalls(founds: Sequence[Found], encoder: str = "") -> dict[str, float]:
    """Return for some k how often a gold sentence is among the first k.

    :param encoder: its id, for the present order; without it they are as retrieved.
    """
    places = []
    for found in founds:
        gold = {h.sentence for h, mark in zip(found.hits, found.gold, strict=True) if mark}
        hits = in_order(found.question, found.hits, encoder)
        ranks = (rank for rank, hit in enumerate(hits, start=1) if hit.sentence in gold)
        places.append(next(ranks, ORDERED + 1))
    return {f"R@{k}": round(float(np.mean([p <= k for p in places])), 3) for k in _RANKS}


def main() -> None:
    """Fit, print the weights, and how well the present ones order the held-out articles."""
    parser = argparse.ArgumentParser(prog="python -m qa_eval.order", description=__doc__)
    parser.add_argument("--squad", type=Path, required=True, help="a SQuAD file")
    parser.add_argument("--held-out", type=int, default=80, help="its articles not fitted on")
    parser.add_argument("--out", type=Path, help="write the weights here, as JSON")
    options = parser.parse_args()
    settings = load_settings()
    encoder = load_encoder(settings.encoder, settings.cache)
    titles = sorted(load_squad(options.squad)[0])
    left = held_out_titles(titles, options.held_out)
    fitted_on = list(find(options.squad, [title for title in titles if title not in left], encoder))
    fitted = {
        "fitted": {
            "command": f"python -m qa_eval.order --squad {options.squad.name}",
            "encoder": encoder.id,
            "date": datetime.now(UTC).date().isoformat(),
            "questions": len(fitted_on),
        },
        "weights": fit(fitted_on),
    }
    print(json.dumps(fitted, indent=2))
    if options.out:
        options.out.write_text(json.dumps(fitted, indent=2) + "\n", encoding="utf-8")
    held = list(find(options.squad, sorted(left), encoder))
    for name, by in (("as retrieved", ""), ("in the present order", encoder.id)):
        print(f"{len(held)} held-out questions {name}: {recalls(held, by)}")


if __name__ == "__main__":
    main()
