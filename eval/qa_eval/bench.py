"""``qa bench``: tokens, times and memory against their budgets, all sides in the same run.

Times differ between machines and hours, so budgets are token counts and ratios of medians. Every
side of a ratio alternates with the other, so that what else the machine does falls on both.

Example: ``qa bench --rounds 5``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from qa import Assistant
from qa.errors import InputError
from qa.settings import Settings
from qa.types import Answer, Evidence, Prompt
from qa_eval.baselines import CitationEngineBaseline
from qa_eval.recorder import Recorder

QUESTIONS = (
    "Combien de soldats américains sont déployés en Irak ?",
    "Qui est le porte-parole de l’armée irakienne ?",
    "En quelle année la coalition internationale a-t-elle été formée ?",
    "Combien de soldats américains ont été tués en Jordanie ?",
    "Qui a revendiqué la plupart des attaques ?",
    "Depuis quand les forces américaines sont-elles la cible d’attaques ?",
    "Quel était le but initial de la coalition ?",
)
_COLD = """
import sys, time
from pathlib import Path
from qa.settings import load_settings
from qa.embed import load_encoder
from qa.llm.choose import choose_model
from qa.options import model_options
from qa.types import Message, Prompt
settings = load_settings(store=Path(sys.argv[1]))
model = choose_model(model_options(settings)).model
model.count_tokens("a")
load_encoder(settings.encoder, settings.cache, settings.threads).encode(["a"], query=True)
model.close()
"""
_PEAK = """
import resource, sys
from qa.cli import main
code = main(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One measured figure and what it should reach (at most)."""

    what: str
    value: float
    budget: float
    unit: str = ""

    def __str__(self) -> str:
        mark = "ok" if self.value <= self.budget else "OVER"
        return f"{self.what:<62} {self.value:>9.2f}{self.unit:<4} ≤ {self.budget:<7g} {mark}"


def main(arguments: Sequence[str], settings: Settings) -> int:
    """Run ``qa bench``; the exit code is 0 when every budget holds."""
    parser = argparse.ArgumentParser(prog="qa bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each side (at least 5)")
    parser.add_argument("--document", type=Path, help="default: the first document")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args(arguments)
    document = options.document or Path("index/documents/irak-coalition.txt")
    if not document.is_file():
        raise InputError(f"no document {str(document)!r}; give one with --document FILE")
    with tempfile.TemporaryDirectory() as folder:
        settings = settings.model_copy(
            update={"store": Path(folder) / "store", "documents": (document.resolve(),)}
        )
        lines = [*_indexing(document, settings, options.rounds, Path(folder))]
        lines += _asking(document, settings, options.rounds)
        lines += _cold(settings, options.rounds)
    print(f"\nqa bench --rounds {options.rounds}")
    for line in lines:
        print(line)
    if options.out:
        rows = [{"what": line.what, "value": line.value, "budget": line.budget} for line in lines]
        options.out.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return int(any(line.value > line.budget for line in lines))


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _indexing(document: Path, settings: Settings, rounds: int, folder: Path) -> list[Line]:
    """Indexing and reading the document, against the encoder and the model alone."""
    with Assistant.open([document], settings=settings, progress=_note) as first:
        parts = first.resources()
        if parts.model is None:
            raise InputError("qa bench measures a model; the extractive backend has none")
        first.warm()
        info = first.documents()[0]
        numbered = parts.held(info.id)
        texts = [s.text for s in first.sentences(info.id)]
    if numbered is None:
        raise InputError(f"{document} does not fit the model's window; bench a shorter document")
    ours, raw = [], []
    for place in range(max(5, rounds)):
        # No documents: opening indexes nothing, and nothing was read before.
        bare = {"documents": ()}
        fresh = settings.model_copy(update={"store": folder / f"index-{place}", **bare})
        empty = settings.model_copy(update={"store": folder / f"empty-{place}", **bare})
        with Assistant.open(settings=fresh) as assistant:
            model = assistant.resources().model
            assert model is not None
            model.count_tokens("warm")
            assistant.resources().encoder.encode(["warm"])

            def index(assistant: Assistant = assistant) -> None:
                assistant.index([document])
                assistant.warm()

            ours.append(_timed(index))
        with Assistant.open(settings=empty) as assistant:
            model = assistant.resources().model
            assert model is not None
            model.count_tokens("warm")
            encoder = assistant.resources().encoder
            encoder.encode(["warm"])
            raw.append(
                _timed(lambda e=encoder, m=model: (e.encode(texts), m.warm(numbered.prefix)))
            )
        _note(f"indexing {ours[-1]:.2f} s, raw {raw[-1]:.2f} s")
    return [Line("indexing / raw encode + prefill", _ratio(ours, raw), 1.1)]


def _asking(document: Path, settings: Settings, rounds: int) -> list[Line]:
    """Warm questions: tokens, our own time, the same calls made raw, and CitationQueryEngine."""
    asks, raws, engines, own, shown, computed, generated = [], [], [], [], [], [], []
    with Assistant.open([document], settings=settings) as assistant:
        assistant.warm()
        recorder = Recorder(assistant.resources().model)  # type: ignore[arg-type]
        assistant.replace_model(recorder)
        engine = CitationEngineBaseline(assistant, 64)
        list(engine.stream(QUESTIONS[-1]))  # its index and its imports are not part of a question
        assistant.warm()
        recorder.prompts = []
        assistant.ask(QUESTIONS[-1])
        previous, recorder.prompts = recorder.prompts, []
        for place in range(max(5, rounds)):
            question = QUESTIONS[place % (len(QUESTIONS) - 1)]
            answer, seconds, first = _ask(assistant, question)
            asks.append(seconds)
            shown.append(first * 1000)
            own.append((answer.timings.total_s - answer.timings.model_s) * 1000)
            computed.append(answer.usage.computed_tokens)
            generated.append(answer.usage.generated_tokens)
            mine, recorder.prompts = recorder.prompts, []
            # The prompts of the question before: what the caches hold differs as for a new
            # question.
            raws.append((_timed(lambda p=previous: _replay(recorder, p)), seconds, place))
            recorder.prompts = []
            previous = mine
            engines.append(_timed(lambda q=question: list(engine.stream(q))))
            recorder.prompts = []
            assistant.warm()
            _note(f"ask {seconds:.2f} s, raw {raws[-1][0]:.2f} s, engine {engines[-1]:.2f} s")
    # Round k replays the prompts of round k-1; round 0 replays an unmeasured question.
    paired = [raw for raw, _, place in raws if place > 0]
    return [
        Line("warm ask: prompt tokens computed", statistics.median(computed), 220),
        Line("warm ask: tokens generated", statistics.median(generated), 22),
        Line("wall time / the same model calls made raw", sum(asks[:-1]) / sum(paired), 1.05),
        Line("wall time / CitationQueryEngine, 64-token chunks", _ratio(asks, engines), 0.7),
        Line("our own code in a warm ask", statistics.median(own), 50, " ms"),
        Line("evidence shown after Enter", statistics.median(shown), 150, " ms"),
    ]


def _ask(assistant: Assistant, question: str) -> tuple[Answer, float, float]:
    started, first, answer = time.perf_counter(), 0.0, None
    for event in assistant.stream(question):
        if isinstance(event, Evidence) and not first:
            first = time.perf_counter() - started
        if isinstance(event, Answer):
            answer = event
    assert answer is not None
    return answer, time.perf_counter() - started, first


def _replay(model: Recorder, prompts: Sequence[Prompt]) -> None:
    for prompt in list(prompts):
        for _ in model.stream(prompt):
            pass


def _cold(settings: Settings, rounds: int) -> list[Line]:
    """New processes: ``qa ask`` against loading the two models and nothing else; peak memory."""
    environment = {"QA_STORE": str(settings.store), "QA_BACKEND": settings.backend}
    environment["QA_DOCUMENTS"] = json.dumps([str(path) for path in settings.documents])
    asks, loads, peaks = [], [], []
    for _ in range(max(5, rounds)):
        done = _run([sys.executable, "-c", _PEAK, "ask", QUESTIONS[0], "--json"], environment)
        asks.append(done[0])
        with suppress(IndexError, ValueError):
            peaks.append(int(done[1].rsplit("peak ", 1)[1]) / 1024**2)
        loads.append(_run([sys.executable, "-c", _COLD, str(settings.store)], environment)[0])
        _note(f"cold ask {asks[-1]:.2f} s, models alone {loads[-1]:.2f} s")
    return [
        Line("cold qa ask / loading the models alone", _ratio(asks, loads), 1.5),
        Line("peak memory of qa ask", max(peaks, default=float("inf")), 3.5, " GB"),
    ]


def _run(command: Sequence[str], environment: dict[str, str]) -> tuple[float, str]:
    import os

    started = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[1:4]} ended with {done.returncode}: {done.stderr[-800:]}")
    return time.perf_counter() - started, done.stderr


def _ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    return statistics.median(ours) / statistics.median(others)


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
