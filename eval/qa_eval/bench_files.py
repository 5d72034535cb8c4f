"""Kinds of vector files side by side: time, recall, size and time to make (docs/decisions/0009).

Example: ``python -m qa_eval.bench_files``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import faiss
import numpy as np

from qa.store import Vectors
from qa_eval.synthetic import DIM, SENTENCES_A_DOCUMENT, Synthetic

_FILES, _FILE_VECTORS = 4, 32_768
_QUERIES = 60
_CANDIDATES = 256
# FAISS factory strings; the store uses the first below, and the last above, 100 000 vectors.
KINDS = ("SQfp16", "SQ8", "RaBitQfs", "IVF256,SQ8", "PQ192x4fs")
_PROBES = 64


def main() -> None:
    """Print a line for each kind."""
    made = Synthetic()
    count = _FILES * _FILE_VECTORS // SENTENCES_A_DOCUMENT + 1
    vectors = np.concatenate([made.document(number).vectors for number in range(count)])
    vectors = vectors[: _FILES * _FILE_VECTORS]
    questions = [made.question(number)[1] for number in range(_QUERIES)]
    best = [set(np.argsort(-(vectors @ one))[:10].tolist()) for one in questions]
    for kind in KINDS:
        started = time.perf_counter()
        files = [_file(kind, vectors[at::_FILES]) for at in range(_FILES)]
        built = time.perf_counter() - started
        faiss.omp_set_num_threads(1)
        times, found = [], []
        for one in questions:
            started = time.perf_counter()
            places = _search(files, vectors, one)
            times.append(time.perf_counter() - started)
            found.append(places)
        recall = statistics.mean(
            len(expected & set(places)) / 10 for expected, places in zip(best, found, strict=True)
        )
        size = sum(len(faiss.serialize_index(file)) for file in files) / len(vectors)
        p50 = 1000 * statistics.median(times)
        print(f"{kind:12} p50 {p50:6.2f} ms, recall@10 {recall:.3f}, {size:4.0f} B, {built:5.1f} s")


def _file(kind: str, vectors: Vectors) -> faiss.Index:
    index = faiss.index_factory(DIM, kind, faiss.METRIC_INNER_PRODUCT)
    if kind.startswith("PQ"):
        index.pq.cp.niter = 6
    index.train(vectors[:2048] if kind.startswith("PQ") else vectors)
    index.add(vectors)
    if kind.startswith("IVF"):
        index.nprobe = _PROBES
    return index


def _search(files: Sequence[faiss.Index], vectors: Vectors, question: Vectors) -> list[int]:
    """Return the ten best of what all files propose, scored exactly."""
    scores, places = [], []
    for at, file in enumerate(files):
        found = file.search(question[None], _CANDIDATES)
        scores.append(found[0][0])
        places.append(found[1][0] * len(files) + at)
    every = np.concatenate(places)[np.argsort(-np.concatenate(scores))[:_CANDIDATES]]
    best = np.argsort(-(vectors[every] @ question))[:10]
    return [int(place) for place in every[best]]


if __name__ == "__main__":
    main()
