"""``qa bench store``: how the store grows, beside raw FAISS, raw FTS5 and LlamaIndex's own pair.

Texts and vectors are synthetic (`qa_eval.synthetic`); nothing is encoded. With ``--clock
process_time`` all times are the processor's: what other programs take of the machine, and waiting
for the disk, do not count.

Example: ``qa bench store --sizes 10000 100000``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import faiss
import psutil

from qa.chunks import make_chunks
from qa.documents import document_from_text
from qa.retrieve import retrieve
from qa.sentences import split_sentences
from qa.settings import Settings
from qa.store import Origin, Store, Vectors
from qa.words import stems
from qa_eval.bench_llama import CLOCKS, Timed, measure_llama
from qa_eval.synthetic import DIM, SENTENCES_A_DOCUMENT, Prepared, Synthetic

_COMMIT_DOCUMENTS = 20
_QUERIES = 40
_ROUNDS = 5
_CHANGES = 12
_TOP_K = 200
# 16 bits a dimension and a checksum.
_VECTOR_BYTES = 2 * DIM + 4
_OPENED = """
import sys, time
from pathlib import Path
import numpy, faiss, psutil
from qa.store import Store
from qa.words import stems
stems("mots")
before = psutil.Process().memory_info().rss
now = getattr(time, sys.argv[3])
started = now()
store = Store.open(Path(sys.argv[1]), "synthetic", int(sys.argv[2]))
opened = now() - started
vector = numpy.zeros(int(sys.argv[2]), dtype="float32"); vector[0] = 1
store.search_dense(vector, 10)
print(opened, now() - started, psutil.Process().memory_info().rss - before)
"""


@dataclass(slots=True)
class Row:
    """What was measured at one size, by name."""

    sentences: int
    figures: dict[str, float] = field(default_factory=dict)


def main(arguments: Sequence[str], settings: Settings) -> int:
    """Run ``qa bench store`` and print a table; the settings play no part."""
    parser = argparse.ArgumentParser(prog="qa bench store", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--llama", type=int, default=10_000, help="LlamaIndex up to this size")
    parser.add_argument("--clock", choices=CLOCKS, default=CLOCKS[0], help="of which times are")
    parser.add_argument("--folder", type=Path, help="where the indexes are made")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args(arguments)
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    made = Synthetic()
    rows = []
    for size in options.sizes:
        folder = Path(tempfile.mkdtemp(dir=options.folder))
        try:
            with_llama = size <= options.llama
            rows.append(_measure(made, size, folder, options.clock, with_llama=with_llama))
        finally:
            shutil.rmtree(folder)
        if options.out:
            figures = [{"sentences": row.sentences, **row.figures} for row in rows]
            options.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(_table(rows))
    return 0


def _table(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    lines = [["sentences", *(f"{row.sentences:,}" for row in rows)], ["---"] + ["---:"] * len(rows)]
    for name in names:
        found = (row.figures.get(name) for row in rows)
        lines.append([name, *("-" if one is None else format(one, ",.4g") for one in found)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _measure(made: Synthetic, size: int, folder: Path, clock: str, *, with_llama: bool) -> Row:
    row = Row(size)
    timed = Timed(clock)
    count = max(1, size // SENTENCES_A_DOCUMENT)
    with Store.open(folder / "store", "synthetic", DIM) as store:
        row.figures |= _build(store, made, count, timed)
        _note(f"{size}: built, {row.figures['ingestion, sentences/s']:.0f} sentences/s")
        raw = _Raw(folder / "raw", made, count)
        row.figures |= _search(store, raw, made, timed)
        row.figures |= _change(store, made, timed)
    row.figures |= _size(folder / "store", size, made, clock)
    _note(f"{size}: {row.figures}")
    if with_llama:
        row.figures |= measure_llama(made, count, folder / "llama", timed)
    return row


def _build(store: Store, made: Synthetic, count: int, timed: Timed) -> dict[str, float]:
    process, peaks = psutil.Process(), []
    reading = writing = 0.0
    sentences = 0
    for start in range(0, count, _COMMIT_DOCUMENTS):
        texts = [made.document(n) for n in range(start, min(count, start + _COMMIT_DOCUMENTS))]
        began = timed.now()
        parts = []
        for text in texts:
            document = document_from_text(text.text, text.id)
            found = split_sentences(document)
            parts.append((document, found, make_chunks(document, found), text.vectors))
        middle = timed.now()
        with store.writing():
            for document, found, chunks, vectors in parts:
                store.put(document, Origin(), found, chunks, vectors[: len(chunks)])
                sentences += len(chunks)
        reading += middle - began
        writing += timed.now() - middle
        peaks.append(process.memory_info().rss)
    half = peaks[len(peaks) // 2]
    return {
        "ingestion, sentences/s": sentences / (reading + writing),
        "of which the store alone, sentences/s": sentences / writing,
        "memory growth in the second half, MB": (peaks[-1] - half) / 1e6,
        "build, s": reading + writing,
    }


class _Raw:
    """FAISS and FTS5 as they come: one flat index, one table of the same stems."""

    def __init__(self, folder: Path, made: Synthetic, count: int) -> None:
        folder.mkdir()
        self.index = faiss.IndexFlatIP(DIM)
        self.table = sqlite3.connect(folder / "fts.sqlite")
        self.table.execute('CREATE VIRTUAL TABLE terms USING fts5 (bare, tokenize = "ascii")')
        for number in range(count):
            text = made.document(number)
            self.index.add(text.vectors)
            bare = [(" ".join(stems(one)),) for one in text.text.split(". ")]
            self.table.executemany("INSERT INTO terms VALUES (?)", bare)
        self.table.commit()

    def dense(self, vector: Vectors, top_k: int) -> list[int]:
        """Return the places of the best, exactly."""
        faiss.omp_set_num_threads(1)
        places: list[int] = self.index.search(vector[None], top_k)[1][0].tolist()
        return places

    def lexical(self, question: str) -> None:
        """Search by words."""
        match = " OR ".join(f'"{stem}"' for stem in sorted(set(stems(question))))
        sql = "SELECT rowid, bm25(terms) FROM terms WHERE terms MATCH ? ORDER BY 2 LIMIT ?"
        self.table.execute(sql, (match, _TOP_K)).fetchall()


def _search(store: Store, raw: _Raw, made: Synthetic, timed: Timed) -> dict[str, float]:
    """Ask all questions of our hybrid search, then of each raw one, in turn, some times over.

    One at a time each, since a scan of all vectors empties the caches that the next one lives on.
    """
    encoder = Prepared()
    questions = [made.question(number) for number in range(_QUERIES)]

    def hybrid(question: str, vector: Vectors) -> None:
        encoder.vector = vector
        retrieve(question, store, encoder, top_k=8)

    ours, dense, words = [], [], []
    for _ in range(_ROUNDS):
        ours += [timed(lambda q=q, v=v: hybrid(q, v)) for q, v in questions]
        dense += [timed(lambda v=v: raw.dense(v, _TOP_K)) for _, v in questions]
        words += [timed(lambda q=q: raw.lexical(q)) for q, _ in questions]
    recall = []
    for _, vector in questions:
        found = {row - 1 for row, _ in store.search_dense(vector, 10)}
        recall.append(len(found.intersection(raw.dense(vector, 10))) / 10)
    both = statistics.median(one + other for one, other in zip(dense, words, strict=True))
    return {
        "hybrid search p50, ms": 1000 * statistics.median(ours),
        "raw FAISS (flat, exact) p50, ms": 1000 * statistics.median(dense),
        "raw FTS5 p50, ms": 1000 * statistics.median(words),
        "hybrid / (raw FAISS + raw FTS5)": statistics.median(ours) / both,
        "recall@10 against exact": statistics.mean(recall),
    }


def _change(store: Store, made: Synthetic, timed: Timed) -> dict[str, float]:
    """Replace and delete documents; the search after is what notices the new commit."""
    updates, removals, noticed = [], [], []
    vector = made.question(0)[1]
    for number in range(_CHANGES):
        text = made.document(10_000_000 + number)
        document = document_from_text(text.text, made.document(number).id)
        found = split_sentences(document)
        parts = (document, Origin(), found, make_chunks(document, found))
        updates.append(timed(lambda p=parts, t=text: store.put(*p, t.vectors[: len(p[3])])))
        noticed.append(timed(lambda: store.search_dense(vector, 10)))
        removals.append(timed(lambda i=document.id: store.remove([i])))
    return {
        "update of a document (100 sentences) p50, ms": 1000 * statistics.median(updates),
        "first search after it p50, ms": 1000 * statistics.median(noticed),
        "delete of a document p50, ms": 1000 * statistics.median(removals),
        "slowest change, ms": 1000 * max(updates + removals),
    }


def _size(folder: Path, size: int, made: Synthetic, clock: str) -> dict[str, float]:
    """Disk beyond the raw text, and time and memory of opening in a new process."""
    count = max(1, size // SENTENCES_A_DOCUMENT)
    samples = range(0, count, max(1, count // 20))
    text = statistics.mean(len(made.document(n).text.encode()) for n in samples)
    beyond = (sum(path.stat().st_size for path in folder.iterdir()) - count * text) / size
    opened, searched, resident = _open(folder, clock)
    memory = (resident - _memory_of_one(made, folder.with_name("one"), clock)) / size
    return {
        "disk beyond the text, bytes a sentence": beyond,
        "the same / vectors as stored": beyond / _VECTOR_BYTES,
        "opening in a new process, s": opened,
        "opening and first search, s": searched,
        "memory of it beyond that of one document, bytes a sentence": memory,
        "memory / vectors as stored": memory / _VECTOR_BYTES,
    }


def _open(folder: Path, clock: str) -> tuple[float, float, float]:
    """Open an index in a new process; seconds until it is open, has searched, and bytes taken."""
    command = [sys.executable, "-c", _OPENED, str(folder), str(DIM), clock]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    opened, searched, resident = map(float, done.stdout.split())
    return opened, searched, resident


def _memory_of_one(made: Synthetic, folder: Path, clock: str) -> float:
    """Return what an index of one document takes: the code that a first search loads."""
    with Store.open(folder, "synthetic", DIM) as store:
        _build(store, made, 1, Timed(clock))
    return _open(folder, clock)[2]


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
