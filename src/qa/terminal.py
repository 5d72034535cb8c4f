"""How an answer looks in a terminal; it knows nothing of commands, models or the index.

Results go to stdout, progress and notices to stderr, so that a pipe gets the answer alone.

Example: ``show(assistant.stream("Combien de soldats ?"))``.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import unicodedata
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from qa.conversation import turn
from qa.errors import QAError
from qa.types import Answer, Citation, Event, Piece, Statement, Turn

if TYPE_CHECKING:
    from qa.assistant import Assistant
    from qa.ingest import Report


def out(text: str, end: str = "\n") -> None:
    """Write a result to stdout at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def note(text: str) -> None:
    """Write progress, a notice or an error to stderr."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(visible(text) + "\n")
        sys.stderr.flush()


def prepare_streams() -> None:
    """Make the standard streams replace what they cannot read or show."""
    # A character that a terminal or a pipe does not know must not turn an answer into an error.
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def silence_stdout() -> None:
    """Send stdout nowhere, once its reader has gone."""
    # Python would complain once more when it flushes at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show(events: Iterator[Event]) -> Answer:
    """Print an answer as it is written, then its citations; return it."""
    live = sys.stdout.isatty()
    written = ""
    answer: Answer | None = None
    # Closing the generator closes the model's connection, which stops the generation.
    with contextlib.closing(cast("Generator[Event, None, None]", events)):
        for event in events:
            if isinstance(event, Piece) and live:
                out(visible(event.text), end="")
                written += event.text
            elif isinstance(event, Answer):
                answer = event
    if answer is None:
        raise RuntimeError("the stream ended without an answer")
    _print_answer(answer, written)
    return answer


def print_report(report: Report) -> None:
    """Print a line for each document that changed or failed, then the totals."""
    for what in ("added", "updated", "removed"):
        for document in getattr(report, what):
            out(visible(f"{what} {document}"))
    for path, message in report.failed:
        note(f"failed {path}: {message}")
    counts = {
        "added": len(report.added),
        "updated": len(report.updated),
        "removed": len(report.removed),
        "unchanged": len(report.unchanged),
        "failed": len(report.failed),
    }
    totals = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    out(f"{totals or 'no documents'}; {report.sentences} sentences")


def converse(assistant: Assistant) -> None:
    """Read questions and print answers until /quit or the end of the input."""
    history: list[Turn] = []
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # lines can be edited and called back
    while True:
        try:
            question = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            note("\n/quit ends")
            continue
        if question == "/quit":
            return
        answer = _turn(assistant, question, history) if question else None
        if answer:
            history.append(turn(question, answer))


def _turn(assistant: Assistant, question: str, history: list[Turn]) -> Answer | None:
    try:
        return show(assistant.stream(question, history=tuple(history)))
    except KeyboardInterrupt:
        note("\nstopped; the conversation goes on")
    except QAError as error:
        note(f"\nerror: {error}\nthe question was not answered; the conversation goes on")
    return None


def _print_answer(answer: Answer, written: str) -> None:
    numbers = {_place(citation): n for n, citation in enumerate(answer.citations, start=1)}
    marked = " ".join(_marked(statement, numbers) for statement in answer.statements)
    text = marked if answer.answered and marked else answer.text
    if written and text.startswith(written.strip()):
        out(visible(text[len(written.strip()) :]))
    else:
        out(("\n= " if written else "") + visible(text))
    _print_citations(answer.citations if answer.answered else answer.nearest, answer.answered)
    if answer.unfinished:
        note(f"unfinished, not checked: {answer.unfinished}")
    for notice in answer.notices:
        note(f"note: {notice}")
    note(f"{answer.backend} · {answer.timings.total_s:.1f} s · confidence {answer.confidence:.2f}")


def _print_citations(citations: Iterable[Citation], answered: bool) -> None:
    for number, citation in enumerate(citations, start=1):
        if number == 1:
            out("" if answered else "\nNearest sentences:")
        page = f", page {citation.page}" if citation.page is not None else ""
        place = f"{citation.document}:{citation.start}-{citation.end}"
        out(visible(f"[{number}] {citation.title}{page} ({place})"))
        out(visible(f"    {' '.join(citation.text.split())}"))


def _marked(statement: Statement, numbers: dict[tuple[str, int, int], int]) -> str:
    marks = "".join(f"[{numbers[_place(citation)]}]" for citation in statement.citations)
    label = " (partly supported)" if statement.support == "partly" else ""
    return f"{statement.text} {marks}{label}".rstrip()


def _place(citation: Citation) -> tuple[str, int, int]:
    return citation.document, citation.start, citation.end


def visible(text: str) -> str:
    """Replace control characters."""
    # A document may hold escape sequences that would command the terminal.
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) != "Cc" else "\ufffd" for char in text
    )
