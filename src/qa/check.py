"""Check what the model wrote against the sentences it was given, and repair or replace what fails.

Every statement must find its numbers and dates in the sentences that it cites, in some notation,
with the units, limits, rates and days that they have there, and its capitalised names unless one is
French and the other English, and may not deny what they say. With six tenths of its content words
there it is supported, with a third of them, or a close meaning, partly. An entailment model, if
there is one, is a witness more: what it upholds is supported with a third of the words, partly with
fewer; what it contradicts fails.
Citations are narrowed to the sentences that a statement needs; a statement that fails is replaced
by a quotation. The pointers are those of the evidence, so they are valid whatever the model wrote.

Example: ``check("2500 soldats.", (citation,), encoder).statements[0].support`` is ``"supported"``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from qa.embed import Encoder
from qa.entail import Entailment, Verdict
from qa.errors import ModelUnavailable
from qa.sentences import split_text
from qa.types import Citation, Statement, Support
from qa.words import (
    CALENDAR,
    NUMBER_WORDS,
    by_the_clock,
    calendar,
    content_words,
    contradicts,
    denies,
    fold,
    implied,
    language,
    misbounds,
    mismeasures,
    misnames,
    mistimes,
    numbers,
    stems,
    tokens,
    told_language,
)

# Shares of a statement's content words found in its sentences, from eval/LOG.md «check».
_SUPPORTED_COVERAGE = 0.6
_PARTLY_COVERAGE = 0.34
# e5 cosines of unrelated sentences lie near .75, those of a sentence and its translation above .85.
_SAME_MEANING = 0.84
# A short answer and the words of the other language that say it; those of other answers lie at .84.
_SAME_IN_ANOTHER_LANGUAGE = 0.87
_PIECE_WORDS = 6
_WORD_OF_NUMBER = frozenset(stem for word in NUMBER_WORDS for stem in stems(word))
_WORD_OF_YES = frozenset(stem for word in ("oui", "yes") for stem in stems(word))
_A_SINGLE = re.compile(r"\W*(?:un|une|one|once)(?: seule?| only)?\W*", re.IGNORECASE)
# Entailment models read sentences: of «2500.» they know nothing.
_FEWEST_JUDGED_WORDS = 3
# What a model adds around an answer: markers, labels, emphasis, quotation marks around the whole.
_MARKER = re.compile(r"\s*[\[【]\s*\d+(?:\s*[,;]\s*\d+)*\s*[\]】]")
_LABEL = re.compile(r"^\s*(?:réponse|answer)\s*:\s*", re.IGNORECASE)
_EMPHASIS = re.compile(r"\*\*|__|`")
_NO_ONE = "none|personne|nobody|rien|nothing"
_NOBODY = re.compile(rf"\W*(?:{_NO_ONE})\W*", re.IGNORECASE)
_NO = re.compile(
    rf"\W*(?:non|no|pas|not|jamais|never|aucun\w*|{_NO_ONE})\b.*",
    re.IGNORECASE | re.DOTALL,
)
_REFUSAL = re.compile(
    r"\b(?:le|ce) texte (?:donné )?ne (?:\w+ ){1,4}pas"
    r"|\bne (?:répond|mentionne|précise|contient|dit) pas|\bpas (?:mentionné|précisé|indiqué)"
    r"|\bthe (?:given )?text does not|\bnot (?:mentioned|specified|stated)"
    r"|^introuvable\b|^unknown\b|^je ne (?:sais|peux) pas|^i (?:do not|don't|cannot|can't) ",
    re.IGNORECASE,
)
# «Répétition : mardi. Ligne : introuvable.»: a part of the question, named, without an answer.
_NAMED_REFUSAL = re.compile(r":\s*(?:introuvable|unknown)\W*$", re.IGNORECASE)

# Chooses, of the sentences that were given, those that a statement needs, best first.
Needed = Callable[[str, Sequence[Citation]], tuple[Citation, ...]]


@dataclass(frozen=True, slots=True)
class Checked:
    """The statements that may be shown; ``refused``: the writer said that there is no answer."""

    statements: tuple[Statement, ...]
    notices: tuple[str, ...] = ()
    refused: bool = False


def fewest(text: str, chosen: Sequence[Citation]) -> tuple[Citation, ...]:
    """Choose the fewest sentences that hold what the statement says, in the order of ``chosen``.

    Of what has no word that a sentence could hold, the first where it stands, «Un an.», or that
    denies something, «Non.».
    """
    wanted = content(text)
    if not wanted:
        proving = [one for one in chosen if _stands_there(text, one.text)]
        proving += [one for one in chosen if denies(one.text)]
        return (next(iter(proving), chosen[0]),)
    if len(chosen) == 1:
        return tuple(chosen)
    left, needed = set(wanted), []
    while left:
        gains = [(len(left & held(c.text)), -place, c) for place, c in enumerate(chosen)]
        gain, _, best = max(gains, key=lambda entry: entry[:2])
        if gain == 0:
            break
        needed.append(best)
        left -= held(best.text)
    return tuple(c for c in chosen if c in needed) or tuple(chosen[:1])


def content(text: str) -> set[str]:
    """Return the words of a text that say something, by their stems, its numbers, days, months."""
    return set(stems(text)) | numbers(text) | calendar(text)


def held(text: str) -> set[str]:
    """Return what a sentence holds of that, however it is told: «le 2e», «de mai à juin»."""
    return set(stems(text)) | numbers(text) | implied(text) | calendar(text, spans=True)


def check(
    draft: str,
    chosen: Sequence[Citation],
    encoder: Encoder,
    entailment: Entailment | None = None,
    beside: Sequence[Citation] = (),
    needed: Needed = fewest,
) -> Checked:
    """Check each statement of ``draft`` against the ``chosen`` sentences.

    :param entailment: is asked too; where it cannot be loaded, words decide, and a notice says so.
    :param beside: sentences that the writer read because a chosen one leans on them («Elle»):
        cited, with the one that leans, where a statement cannot be proved without them.
    :param needed: chooses the sentences that a statement is held against and cited with.
    :return: statements in order, each with at least one citation; a failed one becomes the
        quotation of the best sentence, once.
    """
    parts = statements(draft, chosen)
    if not parts:
        return Checked((), (), refused=True)
    notices: list[str] = []
    if len(parts) < len(_parts(draft, chosen)):
        notices.append("the model did not find a part of what was asked, which is left out")
    try:
        checked = [
            check_statement(part, chosen, encoder, entailment, beside, needed) for part in parts
        ]
    except ModelUnavailable as error:
        if entailment is None:
            raise
        notices.append(f"checked without the entailment model: {error}")
        checked = [check_statement(part, chosen, encoder, None, beside, needed) for part in parts]
    kept: dict[str, Statement] = {}
    for part, statement in zip(parts, checked, strict=True):
        if statement.support == "quoted":
            notices.append(f"not proved by the sentences, so quoted instead: {part!r}")
        kept.setdefault(statement.text, statement)
    return Checked(tuple(kept.values()), tuple(notices))


def statements(draft: str, chosen: Sequence[Citation]) -> list[str]:
    """Return what a draft says, a sentence each, up to where it says that there is no answer."""
    # «15 000 €. Introuvable.»: what it found is said, but not what it says of what it did not find.
    said = itertools.takewhile(lambda part: not _refuses(part, chosen), _parts(draft, chosen))
    return [part for part in said if not _refuses(part, chosen, _NAMED_REFUSAL)]


def _parts(draft: str, chosen: Sequence[Citation]) -> list[str]:
    text = clean(draft, [citation.text for citation in chosen])
    return [text[start:end] for start, end in split_text(text)]


def _refuses(text: str, chosen: Sequence[Citation], refusal: re.Pattern[str] = _REFUSAL) -> bool:
    """Return whether it says that there is no answer, and not because the sentences say so."""
    return bool(refusal.search(text)) and not any(refusal.search(c.text) for c in chosen)


def clean(draft: str, sources: Sequence[str] = ()) -> str:
    """Take away what models add around an answer: markers, labels, emphasis, outer quotes.

    :param sources: what they answered from; what stands there as it does here, «data[0]» or
        «__init__», was not added.
    """

    def marker(match: re.Match[str]) -> str:
        word = match.string[: match.start()].rpartition(" ")[2]
        return match[0] if word and _stands(word + match[0], sources) else ""

    def emphasis(match: re.Match[str]) -> str:
        text, (start, end) = match.string, match.span()
        around = {text[max(start - 1, 0) : end].strip(), text[start : end + 1].strip()}
        return match[0] if any(_stands(one, sources) for one in around - {match[0]}) else ""

    text = _LABEL.sub("", _EMPHASIS.sub(emphasis, _MARKER.sub(marker, draft))).strip()
    for left, right in ("«»", '""', "“”"):
        if text.startswith(left) and text.rstrip(".").endswith(right) and text.count(left) <= 2:
            inner = text.rstrip(".")[1:-1]
            if left not in inner and right not in inner:
                text = inner.strip()
    return text


def _stands(text: str, sources: Sequence[str]) -> bool:
    return any(text in source for source in sources)


def check_statement(
    text: str,
    chosen: Sequence[Citation],
    encoder: Encoder,
    entailment: Entailment | None = None,
    beside: Sequence[Citation] = (),
    needed: Needed = fewest,
) -> Statement:
    """Give one statement the citations it needs and its label, or replace it by a quotation.

    What is not proved by the sentences that it seems to need is held against the fewest that hold
    its words, then also against those that the writer read beside them.
    """
    own, all_read = tuple(chosen), (*chosen, *beside)
    for choose, among in dict.fromkeys([(needed, own), (fewest, own), (fewest, all_read)]):
        cited = choose(text, among)
        support = _support(text, cited, encoder, entailment)
        if support is not None:
            return Statement(text, _with_leaning(cited, chosen, beside), support)
    return quotation(needed(text, chosen)[0])


def _with_leaning(
    needed: tuple[Citation, ...], chosen: Sequence[Citation], beside: Sequence[Citation]
) -> tuple[Citation, ...]:
    """Add the chosen sentences that lean on a needed one: who she is does not say what she did."""
    leaning = [
        min((c for c in chosen if c.document == one.document and c.start > one.start), key=_start)
        for one in beside
        if one in needed
    ]
    return tuple(dict.fromkeys((*leaning, *needed)))


def _start(citation: Citation) -> int:
    return citation.start


def quotation(*citations: Citation) -> Statement:
    """Return the sentences themselves as a statement, in quotation marks of their language."""
    return Statement(
        " ".join(_quoted(citation.text) for citation in citations), citations, "quoted"
    )


def quotations(citations: Sequence[Citation]) -> tuple[Statement, ...]:
    """Return each sentence as a statement; what several documents say in the same words, once."""
    same: dict[str, list[Citation]] = {}
    for citation in citations:
        same.setdefault(" ".join(citation.text.split()), []).append(citation)
    return tuple(replace(quotation(group[0]), citations=tuple(group)) for group in same.values())


def _quoted(text: str) -> str:
    left, right = ("“", "”") if language(text) == "en" else ("« ", " »")
    inner = " ".join(text.split())
    if "«" in inner or "“" in inner:
        left, right = ("‘", "’") if left == "“" else ("“", "”")
    return f"{left}{inner}{right}"


def _support(
    text: str, cited: Sequence[Citation], encoder: Encoder, entailment: Entailment | None
) -> Support | None:
    """Return the label, or None when the statement is not proved by its sentences."""
    source = " ".join(citation.text for citation in cited)
    # A sentence ends with its line: «Studio pour 1» and «200 € par mois» do not say 1 200 €.
    lines = "\n".join(" ".join(citation.text.split()) for citation in cited)
    told = numbers(lines) | implied(lines)
    said = next((one for one in _readings(text) if one <= told), None)
    if said is None or _differs(text, source):
        return None
    crossing = {told_language(text), told_language(source)} == {"fr", "en"}
    if misnames(text, source) and not crossing:
        return None
    verdict = _verdict(text, source, entailment)
    if verdict is not None and verdict.contradicted:
        return None
    entailed = verdict is not None and verdict.entailed
    if contradicts(text, source) and not entailed:
        return None
    wanted = _wanted(text, said)
    if not wanted:  # «Non.» says nothing that could be found, «Elle.» nothing at all
        said_no = _NO.fullmatch(text) and denies(source)
        return "partly" if entailed or said_no or _stands_there(text, source) else None
    there = content_words(source) | told | calendar(source, spans=True)
    coverage = len(wanted & there) / len(wanted)
    if coverage >= (_PARTLY_COVERAGE if entailed else _SUPPORTED_COVERAGE):
        return "supported"
    if coverage >= _PARTLY_COVERAGE or entailed or _similar(text, source, encoder):
        return "partly"
    return "partly" if crossing and _similar_piece(text, source, encoder) else None


def _readings(text: str) -> tuple[set[str], set[str]]:
    """Return the numbers of a statement as they stand, and with its hours as in 17 h."""
    return numbers(text), numbers(by_the_clock(text))


def _wanted(text: str, said: set[str]) -> set[str]:
    """Return what its sentences must hold: words, these numbers, days and months."""
    if _A_SINGLE.fullmatch(text):  # «Une.», to how many
        return {"1"}
    if _NOBODY.fullmatch(text):
        return set()
    dates = {stem for word in tokens(text) if fold(word) in CALENDAR for stem in stems(word)}
    words = content_words(text) - _WORD_OF_NUMBER - dates
    wanted = words | said | calendar(text)
    return (wanted - _WORD_OF_YES) or wanted  # «Oui, au genou» is as true as «Au genou»


def _differs(text: str, source: str) -> bool:
    """Tell whether a unit, a limit, a rate, a day or a month is another in the source."""
    return any(rule(text, source) for rule in (mismeasures, misbounds, mistimes))


def _stands_there(text: str, source: str) -> bool:
    """Tell whether one of something, too common to be looked for, stands there: «Un an.»."""
    one = f" {' '.join(tokens(text))} "
    return bool(implied(text)) and one in f" {' '.join(tokens(source))} " and not denies(source)


def _similar_piece(text: str, source: str, encoder: Encoder) -> bool:
    """Tell whether a few words of the source mean what the statement says in another language."""
    words = source.split()
    pieces = [
        " ".join(words[at : at + _PIECE_WORDS]) for at in range(0, len(words), _PIECE_WORDS // 2)
    ]
    vectors = encoder.encode([text, *pieces])
    return float((vectors[1:] @ vectors[0]).max()) >= _SAME_IN_ANOTHER_LANGUAGE


def _verdict(text: str, source: str, entailment: Entailment | None) -> Verdict | None:
    """Ask the entailment model, if there is one, about a statement that is long enough for it."""
    if entailment is None or len(tokens(text)) < _FEWEST_JUDGED_WORDS:
        return None
    (verdict,) = entailment.judge([(source, text)])
    return verdict


def _similar(text: str, source: str, encoder: Encoder) -> bool:
    vectors = encoder.encode([text, source])
    return float(vectors[0] @ vectors[1]) >= _SAME_MEANING
