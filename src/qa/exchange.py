"""One question's running account: its words, its model, its times; and what answering runs on.

Example: ``Exchange("Qui parle ?", "fr", None).timings().total_s``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from qa.calibration import Calibration, calibration_for
from qa.check import Checked, Needed, check
from qa.embed import Encoder
from qa.entail import Entailment, Reranker
from qa.evidence import Selection
from qa.llm.base import ChatModel
from qa.llm.meter import Meter
from qa.passages import leans_on, passage
from qa.prompt import Language, NumberedDocument
from qa.store import Store
from qa.types import Citation, Sentence, Timings

Check = Callable[
    [str, Sequence[Citation], Encoder, Entailment | None, Sequence[Citation], Needed], Checked
]


@dataclass(frozen=True, slots=True)
class Resources:
    """What answering needs; ``held`` gives the numbered document if the model holds its prefix.

    A measurement may replace two steps: ``check``, what is made of the draft, and ``selection``,
    the sentences to write from (None: the evidence step chooses).
    """

    store: Store
    encoder: Encoder
    model: ChatModel | None
    backend: str
    held: Callable[[str], NumberedDocument | None]
    notices: tuple[str, ...] = ()
    check: Check = check
    selection: Selection | None = None
    entailment: Entailment | None = None
    reranker: Reranker | None = None

    def passage(self, sentence: Sentence, shown: Collection[Sentence] = ()) -> str:
        """Return what the model reads of a sentence: with its heading, and what it leans on."""
        return passage(sentence, self._around(sentence), shown)

    def passages(self, shown: Sequence[Sentence]) -> list[str]:
        """Return the same of sentences that are read together."""
        return [self.passage(sentence, shown) for sentence in shown]

    def read_beside(self, shown: Collection[Sentence]) -> list[Sentence]:
        """Return the sentences that the model reads because those that are shown lean on them."""
        before = [leans_on(one, self._around(one)) for one in shown]
        return [one for one in dict.fromkeys(before) if one is not None and one not in shown]

    def _around(self, sentence: Sentence) -> tuple[Sentence, ...]:
        """Return its document's sentences; none, if that has changed since it was found."""
        with self.store.reading():
            known = sentence.document in self.store
            sentences = self.store.sentences(sentence.document) if known else ()
        return sentences if sentences[sentence.index : sentence.index + 1] == (sentence,) else ()


@dataclass(slots=True)
class Exchange:
    """The running account of one question.

    ``sought`` and ``spoken``: the question in the document's language, where that is another one.
    ``least_likely``: the log-probability of the least likely word of what was written;
    ``broke_off``: the writing did not come to its end; ``unfinished``: the draft of a model that
    died while it wrote, or what the limit cut of it.
    """

    question: str
    language: Language
    ask: Meter | None
    sought: str = ""
    spoken: Language = "fr"
    calibration: Calibration = field(default_factory=lambda: calibration_for(None))
    started: float = field(default_factory=time.perf_counter)
    marks: dict[str, float] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    least_likely: float = 0.0
    broke_off: bool = False
    unfinished: str = ""

    def mark(self, name: str) -> None:
        """Note when ``name`` was reached."""
        self.marks[name] = time.perf_counter() - self.started

    def timings(self) -> Timings:
        """Return the seconds that each step took so far."""
        at = self.marks
        retrieved, chosen = at.get("retrieved", 0.0), at.get("chosen", 0.0)
        written, total = at.get("written", chosen), time.perf_counter() - self.started
        return Timings(
            retrieve_s=retrieved,
            evidence_s=chosen - retrieved,
            first_token_s=at.get("first token", 0.0),
            write_s=written - chosen,
            check_s=at.get("checked", written) - written,
            total_s=total,
            model_s=self.ask.model_s if self.ask else 0.0,
        )
