"""``qa bench``: tokens, times and memory against their budgets, all sides in the same run.

Times differ between machines and hours, so most budgets are token counts and ratios. Every
side of a ratio alternates with the other, so that what else the machine does falls on both.

Example: ``qa bench --rounds 5``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from qa import Assistant
from qa.errors import InputError
from qa.settings import Settings
from qa.types import Answer, Evidence, Prompt
from qa_eval.baselines import CitationEngineBaseline
from qa_eval.bench_cold import cold_lines
from qa_eval.bench_lines import Line, note, ratio
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
_PARTS = ("indexing", "asking", "cold")
# More than the encoder runs without its library: this loads it.
_LOADS_THE_LIBRARY = "le chat dort " * 200


def main(arguments: Sequence[str], settings: Settings) -> int:
    """Run ``qa bench``; the exit code is 0 when every budget holds."""
    parser = argparse.ArgumentParser(prog="qa bench", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="of each side; fewer than 5 are a look"
    )
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, help="parts of it")
    parser.add_argument("--document", type=Path, help="default: the first document")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args(arguments)
    if options.rounds < (2 if "asking" in options.only else 1):
        parser.error(
            "--rounds: asking needs at least 2, since each replays the one before; others 1"
        )
    document = options.document or Path("index/documents/irak-coalition.txt")
    if not document.is_file():
        raise InputError(f"no document {str(document)!r}; give one with --document FILE")
    with tempfile.TemporaryDirectory() as folder:
        settings = settings.model_copy(
            update={"store": Path(folder) / "store", "documents": (document.resolve(),)}
        )
        lines: list[Line] = []
        if "indexing" in options.only:
            lines += _indexing(document, settings, options.rounds, Path(folder))
        if "asking" in options.only:
            lines += _asking(document, settings, options.rounds)
        if "cold" in options.only:
            lines += cold_lines(settings, QUESTIONS[0], options.rounds)
    print(f"\nqa bench --rounds {options.rounds} --only {' '.join(options.only)}")
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
    with Assistant.open([document], settings=settings, progress=note) as first:
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
    for place in range(rounds):
        # No documents: opening indexes nothing, and nothing was read before.
        bare = {"documents": ()}
        fresh = settings.model_copy(update={"store": folder / f"index-{place}", **bare})
        empty = settings.model_copy(update={"store": folder / f"empty-{place}", **bare})
        with Assistant.open(settings=fresh) as assistant:
            model = assistant.resources().model
            assert model is not None
            model.count_tokens("warm")
            assistant.resources().encoder.encode([_LOADS_THE_LIBRARY])

            def index(assistant: Assistant = assistant) -> None:
                assistant.index([document])
                assistant.warm()

            ours.append(_timed(index))
        with Assistant.open(settings=empty) as assistant:
            model = assistant.resources().model
            assert model is not None
            model.count_tokens("warm")
            encoder = assistant.resources().encoder
            encoder.encode([_LOADS_THE_LIBRARY])
            raw.append(
                _timed(lambda e=encoder, m=model: (e.encode(texts), m.warm(numbered.prefix)))
            )
        note(f"indexing {ours[-1]:.2f} s, raw {raw[-1]:.2f} s")
    return [Line("indexing / raw encode + prefill", ratio(ours, raw), 1.1)]


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
        recorder.clear()
        assistant.ask(QUESTIONS[-1])
        previous = recorder.prompts
        recorder.clear()
        for place in range(rounds):
            question = QUESTIONS[place % (len(QUESTIONS) - 1)]
            answer, seconds, first = _ask(assistant, question)
            asks.append(seconds)
            shown.append(first * 1000)
            own.append((answer.timings.total_s - answer.timings.model_s) * 1000)
            computed.append(answer.usage.computed_tokens)
            generated.append(answer.usage.generated_tokens)
            mine = recorder.prompts
            recorder.clear()
            # The prompts of the question before: what the caches hold differs as for a new
            # question.
            raws.append((_timed(lambda p=previous: _replay(recorder, p)), seconds, place))
            recorder.clear()
            previous = mine
            engines.append(_timed(lambda q=question: list(engine.stream(q))))
            recorder.clear()
            assistant.warm()
            note(f"ask {seconds:.2f} s, raw {raws[-1][0]:.2f} s, engine {engines[-1]:.2f} s")
    # Round k replays the prompts of round k-1; round 0 replays an unmeasured question.
    paired = [raw for raw, _, place in raws if place > 0]
    return [
        Line("warm ask: prompt tokens computed", statistics.median(computed), 220),
        Line("warm ask: tokens generated", statistics.median(generated), 22),
        Line("wall time / the same model calls made raw", sum(asks[:-1]) / sum(paired), 1.05),
        Line("wall time / CitationQueryEngine, 64-token chunks", ratio(asks, engines), 0.7),
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
