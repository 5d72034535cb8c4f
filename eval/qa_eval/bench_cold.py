"""``qa ask`` in new processes: its time against loading the models alone, and its peak memory.

What it is measured against is what the two libraries take: xllamacpp the GGUF file, with our
options, and sentence-transformers the encoder's folder, one after the other, then one token and one
vector; nothing of ours but the two files' paths.

Example: ``qa bench --only cold``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from qa.settings import Settings
from qa_eval.bench_lines import Line, note, ratio

# Each indexes the document and reads it anew, which takes a while; memory varies little.
_FRESH_ROUNDS = 2

# Of the memory, the high-water mark of the process itself: what getrusage tells begins with that of
# the process which started it (execve(2) keeps ru_maxrss), here the whole bench.
_TOLD = """
import re, resource, sys
from pathlib import Path
def told():
    found = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    used = resource.getrusage(resource.RUSAGE_SELF)
    print("told", found[1], used.ru_utime + used.ru_stime, file=sys.stderr)
"""
_MODELS = """
from qa.llm.llamacpp import LlamaServer, ServerOptions
from qa.settings import load_settings
from qa.weights import find_encoder, find_gguf
settings = load_settings()
server = LlamaServer(find_gguf(settings.gguf, settings.cache), ServerOptions(3, 6144, 128, 2))
server.post("/tokenize", {"content": "a"})
from sentence_transformers import SentenceTransformer
folder = find_encoder(settings.cache) if settings.encoder == "bundled" else settings.encoder
SentenceTransformer(str(folder), local_files_only=True).encode(["a"])
server.close()
told()
"""
_ASK = """
from qa.cli import main
code = main(sys.argv[1:])
told()
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class _Process:
    wall_s: float
    cpu_s: float
    peak_gb: float


def cold_lines(settings: Settings, question: str, rounds: int) -> list[Line]:
    """Measure new processes on a store that is filled, and the first ones on empty stores.

    :param settings: whose store holds the document; it is read and filled, if it is empty.
    """
    ask = ["ask", question, "--json"]
    _run(_ASK, ask, settings, settings.store)  # the document is indexed and read
    asks, loads, firsts = [], [], []
    for _ in range(rounds):
        asks.append(_run(_ASK, ask, settings, settings.store))
        loads.append(_run(_MODELS, [], settings, settings.store))
        note(f"cold ask {_shown(asks[-1])}; the libraries' loading {_shown(loads[-1])}")
    for _ in range(min(rounds, _FRESH_ROUNDS)):
        with tempfile.TemporaryDirectory() as folder:
            firsts.append(_run(_ASK, ask, settings, Path(folder) / "store"))
        note(f"first ask, which indexes: {_shown(firsts[-1])}")
    walls = [[one.wall_s for one in some] for some in (asks, loads)]
    return [
        Line("cold qa ask / the libraries' loading of both models", ratio(*walls), 1.5),
        Line("peak memory of qa ask", max(one.peak_gb for one in asks), 3.5, " GB"),
        Line("peak memory of a first qa ask, indexing", max(f.peak_gb for f in firsts), 3.5, " GB"),
    ]


def _run(code: str, arguments: list[str], settings: Settings, store: Path) -> _Process:
    ours = {
        "QA_STORE": str(store),
        "QA_BACKEND": settings.backend,
        "QA_DOCUMENTS": json.dumps([str(path) for path in settings.documents]),
    }
    started = perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _TOLD + code, *arguments],
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        check=False,
    )
    wall_s = perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stderr[-800:]}")
    peak_kb, cpu_s = done.stderr.rsplit("told ", 1)[1].split()[:2]
    return _Process(wall_s, float(cpu_s), int(peak_kb) / 1024**2)


def _shown(one: _Process) -> str:
    return f"{one.wall_s:.2f} s ({one.cpu_s:.2f} s of the processor, {one.peak_gb:.2f} GB)"
