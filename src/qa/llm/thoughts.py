"""Tells a model's thoughts from its answer while it streams; it knows no server.

Example: ``Thoughts().without("<think>Hmm.</think> Oui") == " Oui"``.
"""

from __future__ import annotations

_BEGIN, _END = "<think>", "</think>"


class Thoughts:
    """Keeps thoughts out of one answer.

    Servers hand them over in a field of their own (then set ``seen``); a model whose template the
    server does not know writes ``<think>…</think>`` before the answer.
    """

    def __init__(self) -> None:
        self.seen = False
        self.answered = False
        self.inside = False
        self._held = ""  # what may be the beginning of <think> or </think>

    def without(self, text: str) -> str:
        """Return what of ``text`` belongs to the answer, held back as long as it is not sure."""
        if self.answered:
            return text
        self._held += text
        if not self.inside and self._held.lstrip().startswith(_BEGIN):
            self.inside = self.seen = True
        if self.inside:
            before, end, after = self._held.partition(_END)
            self._held = after if end else before
            self.inside = not end
        if self.inside or _BEGIN.startswith(self._held.lstrip()):
            return ""
        self.answered = True
        return self.rest()

    def rest(self) -> str:
        """Return what was held back and is no thought after all."""
        held, self._held = self._held, ""
        return "" if self.inside else held
