"""Follow-ups: rules decide whether a question leans on the conversation; it is made to stand alone.

Only a question that leans on what was said costs a model call; the rewritten question is shown to
the person. It knows nothing of documents.

Example: ``leans_on_history("Et en Syrie ?")`` is true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qa.llm.meter import Meter
from qa.parts import asks
from qa.prompt import Language, rewrite_prompt
from qa.translation import translated
from qa.types import Answer, Turn
from qa.words import names, numbers, stems, tokens, told_language

# A question that begins so goes on from the one before.
_GOES_ON = re.compile(
    r"^\s*(?:et|mais|donc|alors|ou(?! (?:se |est\b|sont\b|en est))|sinon|aussi|pareil|"
    r"même question|and|but(?! d(?:es?|u|'|’))|so|or|what about|how about|same question)\b",
    re.IGNORECASE,
)
# «Non pardon, je voulais dire l’isolation»
_CORRECTS = re.compile(
    r"\b(?:je (?:voulais|veux) dire|je parl(?:ais|e) d(?:es?|u|['’])"
    r"|i meant?|i (?:was|am) talking about)\b",
    re.IGNORECASE,
)
# «Merci. Et en Syrie ?», «Ah bon, et pourquoi ?», "OK, and in Syria?"
_COURTESY = re.compile(
    r"^\s*(?:(?:merci|ok(?:ay)?|d['’]accord|bien|parfait|super|oui|non|bonjour|pardon|désolée?"
    r"|a+h(?: bon)?|thanks|thank you|great|good|right|yes|no|hello|hi|sorry|i see)\b"
    r"(?:[\s,;:.!?…]|[–-](?=\s))+"
    r"|(?:o+h|eh bien|bon|ben|tiens|vraiment|compris|entendu|intéressant|dommage"
    r"|oh really|really|well|interesting|hm+|wow)\b\s*(?:[,;:.!?…]|[–-](?=\s))+\s*)+",
    re.IGNORECASE,
)
# «Il faut», "there is": nobody and nothing that was said before.
_IMPERSONAL = re.compile(
    r"\b(?:il (?:me |te |nous |vous |leur )?fau\w+|il y a|y a[- ]t[- ]il|y a"
    r"|(?:is|are|was|were) there|there (?:is|are|was|were)|il s['’]agit)\b",
    re.IGNORECASE,
)
# Words that stand for something said before. A hyphenated «-t-il» doubles a subject that is there.
_POINTS_BACK = re.compile(
    r"(?<![-\w'’])(?:il|elle|ils|elles|lui|leur|leurs|son|sa|ses|celui-ci|celle-ci|ceux-ci|celles-ci|"
    r"celui-là|celle-là|ce dernier|cette dernière|ces derniers|ces dernières|cela|ça|y|là-bas|"
    r"he|she|it|they|him|them|his|her|hers|its|their|theirs|there|those|these|this one|that one)"
    r"(?![-\w'’])",
    re.IGNORECASE,
)
# With fewer content words than this, and no name or number, a question does not say its subject.
_FEW_WORDS = 3
_MAX_REWRITTEN_CHARS = 300


def turn(asked: str, answer: Answer) -> Turn:
    """Return what a later question may lean on: the question as it was understood, and the answer.

    A question that was put after others, and became too long, is as asked.
    """
    understood = answer.question
    return Turn(understood if len(understood) <= _MAX_REWRITTEN_CHARS else asked, answer.text)


def leans_on_history(question: str) -> bool:
    """Tell whether the question needs the conversation before it to be understood."""
    question = _COURTESY.sub("", question)
    if _GOES_ON.search(question) or _CORRECTS.search(question):
        return True
    if _POINTS_BACK.search(_IMPERSONAL.sub(" ", question)):
        return True
    said, named = set(stems(question)), set(filter(stems, names(question)))  # «POURQUOI ?»: none
    if named or numbers(question):  # «En 2023 ?», «Pour Paris ?»
        told = numbers(question) | {stem for name in named for stem in stems(name)}
        return said <= told and not asks(question)
    return len(said) < _FEW_WORDS


def standalone(
    question: str, history: Sequence[Turn], ask: Meter | None, language: Language
) -> str:
    """Return the question in words that need no history; as it is when nothing better is found.

    Without a model, or when the model's rewriting says things that nobody said, or not what is
    asked now, the last question is put before it. That is translated first, where it was asked in
    another ``language`` than this one: the rewriting, and so the answer, would be in that.
    """
    last = history[-1]
    if ask is None:
        return f"{last.question} {question}"
    other = told_language(last.question) not in (language, None)
    before = translated(last.question, language, ask) if other else last.question
    joined = f"{before} {question}"
    text, _ = ask.complete(rewrite_prompt(before, last.answer, question, language))
    rewritten = " ".join(text.split())
    faithful = _is_faithful(rewritten, f"{joined} {last.answer}")
    return rewritten if faithful and _says(rewritten, question, before) else joined


def _says(rewritten: str, question: str, before: str) -> bool:
    """A rewriting says at least half of what is new, and is not the question before again."""
    now = _CORRECTS.sub(" ", _COURTESY.sub("", question))
    said, asked, known = (set(stems(one)) | numbers(one) for one in (rewritten, now, before))
    new = asked - known or asked
    return tokens(rewritten) != tokens(before) and 2 * len(new & said) >= len(new)


def _is_faithful(rewritten: str, said: str) -> bool:
    """A rewriting is one question, and its names and numbers were said before."""
    if not rewritten.endswith("?") or len(rewritten) > _MAX_REWRITTEN_CHARS:
        return False
    known = set(stems(said)) | names(said)
    return numbers(rewritten) <= numbers(said) and all(
        name in known or set(stems(name)) <= known for name in names(rewritten)
    )
