"""Read the document into the model in the background, and tell the page how far that is."""

from __future__ import annotations

import logging
import threading
from typing import Literal

from qa.errors import QAError
from qa.ui.protocol import ChatAssistant

_log = logging.getLogger(__name__)

State = Literal["warming", "ready", "failed"]


class Warmup:
    """The state of the assistant's model as the page shows it."""

    def __init__(self, assistant: ChatAssistant) -> None:
        self._assistant = assistant
        self._lock = threading.Lock()
        self._wanted = 0
        self._running = False
        self.state: State = "ready"
        self.message = ""

    def start(self) -> None:
        """Warm the model, once more if that is under way already; returns at once."""
        with self._lock:
            self._wanted += 1
            self.state, self.message = "warming", ""
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name="qa-warm", daemon=True).start()

    def _run(self) -> None:
        while True:
            wanted = self._wanted
            state, message = self._warm()
            with self._lock:
                if wanted == self._wanted:
                    self.state, self.message, self._running = state, message, False
                    return

    def _warm(self) -> tuple[State, str]:
        try:
            self._assistant.warm(self._progress)
        except QAError as error:
            return "failed", str(error)
        except Exception as error:
            # The thread's border: questions still work without a warm model, the page says so.
            _log.exception("the model could not be warmed")
            return "failed", f"{type(error).__name__}: {error}"
        return "ready", ""

    def _progress(self, line: str) -> None:
        self.message = line
