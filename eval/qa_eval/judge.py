"""Does a text say what a statement says? A judge stricter than the runtime's check.

With an entailment model (setting ``nli``) it decides on what holds the statement's numbers. None is
shipped; without it words decide, which is a proxy, and an honest reader treats it as one: a
paraphrase without shared words counts as unsupported, a wrong order of words as supported. A
statement in another language than its source is then judged by its numbers alone.

Example: ``Judge().entails("La terrasse a 12 tables.", "Douze tables en terrasse.")`` is true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from qa.entail import Entailment
from qa.words import by_the_clock, implied, language, names, numbers, tokens
from qa.words.terms import NUMBER, decimal, fold, plain_text

# Of a statement's words of four letters and more, each cut to five (the check compares stems and is
# content with six tenths).
_COVERAGE = 0.8
_SHORT, _CUT = 4, 5
_NAME_CUT = 4
# Figures before a scale («3,5 millions») are read by ``numbers`` together with it.
_SCALE = r"(?:m(?:illi(?:on|ard)s?|ds?)?|k|mille|billions?|thousand)\b"
_FIGURES = re.compile(rf"{NUMBER}(?!\s*{_SCALE})")


def numbers_hold(statement: str, source: str) -> bool:
    """Tell whether every number and date of a statement stands in its source, in any notation."""
    told = _figures(source) | numbers(source) | implied(source)
    return any(
        _figures(said) | numbers(said) <= told for said in (statement, by_the_clock(statement))
    )


def names_hold(statement: str, source: str) -> bool:
    """Tell whether every name of a statement stands in its source; inflected ones count."""
    if language(statement) != language(source):
        return True
    words = {word[:_NAME_CUT] for word in tokens(source)}
    return all(part[:_NAME_CUT] in words for name in names(statement) for part in tokens(name))


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides by the entailment model, or by words where there is none."""

    entailment: Entailment | None = None

    def entails(self, source: str, statement: str) -> bool:
        """Tell whether a source says what the statement says, its numbers included."""
        if not numbers_hold(statement, source):
            return False
        if self.entailment is not None:
            return self.entailment.judge([(source, statement)])[0].entailed
        said = _words(statement)
        if language(statement) != language(source) or not said:
            return True
        return len(said & _words(source)) / len(said) >= _COVERAGE

    def support(self, statement: str, cited: Sequence[str]) -> tuple[float, float]:
        """Return a statement's citation recall and precision, as ALCE has them (Gao et al. 2023).

        Recall is 1 when the cited texts together say the statement. A citation is irrelevant when
        it does not say it alone and the others do without it; precision is the share of relevant
        ones.
        """
        if not cited or not self.entails(" ".join(cited), statement):
            return 0.0, 0.0
        relevant = sum(
            self.entails(text, statement)
            or not self.entails(" ".join(_without(cited, place)), statement)
            for place, text in enumerate(cited)
        )
        return 1.0, relevant / len(cited)


def _without(texts: Sequence[str], place: int) -> list[str]:
    return [text for other, text in enumerate(texts) if other != place]


def _words(text: str) -> set[str]:
    """Return the cut words; numerals in words are left to ``numbers``."""
    return {word[:_CUT] for word in tokens(text) if len(word) >= _SHORT and not numbers(word)}


def _figures(text: str) -> set[str]:
    plain = [decimal(figure) for figure in _FIGURES.findall(fold(plain_text(text)))]
    return {f"{Decimal(f).normalize():f}" if f.count(".") < 2 else f for f in plain}
