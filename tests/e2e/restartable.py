"""Serve a scripted page on a given port until killed: ``restartable.py PORT FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from qa.types import Event, Statement
from qa.ui import serve
from scripted import ScriptedAssistant


def answer(assistant: ScriptedAssistant, question: str) -> Iterator[Event]:
    rain = assistant.cite("temps.txt", "pleut")
    earlier = len(assistant.asked[-1][1])
    statement = Statement(f"{question} Oui ({earlier} avant).", (rain,), "supported")
    yield statement
    yield assistant.answer(question, statement.text, statements=(statement,), citations=(rain,))


if __name__ == "__main__":
    serve(
        ScriptedAssistant({"temps.txt": "Il pleut. Il vente."}, answer),
        port=int(sys.argv[1]),
        conversations=Path(sys.argv[2]),
    )
