"""Ask documents a question; every statement of the answer points at the sentences that prove it.

Example::

    from qa import Assistant

    with Assistant.open(["index/documents"]) as assistant:
        answer = assistant.ask("Combien de soldats américains sont en Irak ?")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qa.errors import QAError
from qa.types import Answer, Citation, Evidence, Piece, Statement, Turn

if TYPE_CHECKING:
    from qa.assistant import Assistant

__all__ = ["Answer", "Assistant", "Citation", "Evidence", "Piece", "QAError", "Statement", "Turn"]


def __getattr__(name: str) -> object:
    """Import the assistant on first use, so that ``import qa`` stays light."""
    if name == "Assistant":
        from qa.assistant import Assistant

        return Assistant
    raise AttributeError(f"module 'qa' has no attribute {name!r}")
