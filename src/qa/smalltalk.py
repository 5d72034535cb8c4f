"""Greetings, thanks, goodbyes and «que peux-tu faire ?», answered by rule and without a model.

Only an utterance that is nothing else counts: «Bonjour, combien coûte le pain ?» is a question. It
knows the documents' titles and nothing of what they say.

Example: ``small_talk("Merci beaucoup !") == "thanks"``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from qa.prompt import Language
from qa.types import Answer, Turn
from qa.words import fold

Kind = Literal["greeting", "thanks", "goodbye", "help", "yes or no"]

# Folded: without case and accents. In the order in which one outweighs another.
_PHRASES: Final[tuple[tuple[Kind, Language, str], ...]] = (
    (
        "help",
        "fr",
        r"(?:dis(?:-| )moi )?(?:ce )?(?:que|qu'est(?:-| )ce que|qu'est(?:-| )ce qu'|quoi)"
        r" ?(?:peux(?:-| )tu|tu peux|sais(?:-| )tu|tu sais|pouvez(?:-| )vous|vous pouvez"
        r"|savez(?:-| )vous|vous savez) faire(?: pour moi| pour nous| d'autre)?"
        r"|(?:que|qu'est(?:-| )ce que) (?:puis(?:-| )je|je peux|peut(?:-| )on) (?:te|vous) demander"
        r"|(?:comment|en quoi) (?:peux(?:-| )tu|pouvez(?:-| )vous) m'aider"
        r"|(?:peux(?:-| )tu|pouvez(?:-| )vous) m'aider|aide(?:-| )moi|aide"
        r"|a quoi (?:sers(?:-| )tu|tu sers|servez(?:-| )vous)"
        r"|qui (?:es(?:-| )tu|etes(?:-| )vous)|(?:tu es|t'es|vous etes) qui|presente(?:-| )toi"
        r"|(?:comment (?:t'appelles(?:-| )tu|tu t'appelles)|quel est ton nom)"
        r"|(?:es(?:-| )tu|tu es|etes(?:-| )vous) (?:un robot|une ia|humaine?|un chatbot)"
        r"|quels documents (?:as(?:-| )tu|connais(?:-| )tu|avez(?:-| )vous|connaissez(?:-| )vous)"
        r"(?: lus?)?",
    ),
    (
        "help",
        "en",
        r"(?:tell me )?what (?:can you|you can|are you able to) (?:do|help(?: me)? with)"
        r"(?: for me| for us)?|what can i ask(?: you)?|what do you do|how can you help(?: me)?"
        r"|(?:can you )?help(?: me)?|who are you|what are you|what(?:'s| is) your name"
        r"|introduce yourself|are you (?:a robot|an ai|a bot|human)"
        r"|(?:what|which) documents do you (?:have|know|hold)",
    ),
    (
        "goodbye",
        "fr",
        r"au revoir|adieu|a (?:bientot|plus(?: tard)?|demain|tout a l'heure|la prochaine)"
        r"|(?:passe[z]? (?:une )?)?bonne (?:journee|soiree|nuit|fin de journee)|bon week(?:-| )end",
    ),
    (
        "goodbye",
        "en",
        r"(?:good ?)?bye(?:(?:-| )bye)?|see (?:you|ya)(?: later| soon| tomorrow)?|farewell"
        r"|have a (?:nice|good|great) (?:day|evening|one|week-?end)|good night|take care",
    ),
    (
        "thanks",
        "fr",
        r"(?:un grand |mille |grand )?mercis?(?: (?:beaucoup|bcp|bien|infiniment|a toi|a vous"
        r"|(?:pour|de) (?:(?:ton|ta|tes|votre|vos|le|la|les|l'|cet|cette|ces|toutes ces) ?)?"
        r"(?:aide|reponse|precision|temps|info|information|explication|renseignement|detail)s?"
        r"|pour (?:ca|cela|tout)))*"
        r"|(?:c'est |tres )?(?:parfait|genial|super|excellent|bien|impeccable|formidable)"
        r"|bravo|d'accord|entendu|compris|bien recu|je vois|oui merci|non merci",
    ),
    (
        "thanks",
        "en",
        r"(?:(?:many )?thanks|thank you)(?: (?:a lot|so much|very much|again"
        r"|for (?:(?:all )?(?:your|the|this|that|these) )?"
        r"(?:help|answer|time|info|information|explanation|clarification|detail)s?"
        r"|for (?:that|this|it|everything)))*"
        r"|cheers|thx|ty|(?:that's |that is |very )?(?:great|perfect|awesome|nice|good)|well done"
        r"|got it|i see|alright|all right|no thanks|ok(?:ay)? thanks",
    ),
    (
        "greeting",
        "fr",
        r"(?:re)?bonjour(?: a (?:toi|vous|tous|toutes))?|bonsoir(?: a (?:toi|vous|tous))?|salut"
        r"|coucou|enchantee?|bienvenue|(?:comment )?(?:ca|tu) vas?(?: bien)?"
        r"|comment (?:vas(?:-| )tu|allez(?:-| )vous|ca va)|tu vas bien|vous allez bien",
    ),
    (
        "greeting",
        "en",
        r"hello|hi|hey|greetings|good (?:morning|afternoon|evening|day)|howdy|yo"
        r"|how (?:are you(?: doing)?(?: today)?|do you do|is it going)|what'?s up|nice to meet you",
    ),
    ("yes or no", "fr", r"oui|ouais|non"),
    ("yes or no", "en", r"yes|yeah|yep|no|nope"),
    # Said in both languages: the utterance's other words tell which.
    ("thanks", "fr", r"ok(?:ay)?|cool|top"),
)
_TO_WHOM: Final = (
    r"(?: (?:monsieur|madame|(?:l'|cher )?assistant|l'ami|everyone|everybody|there|all|bot|robot"
    r"|again|s'il (?:te|vous) plait|please|stp|svp|alors|donc|et toi|et vous|and you))*"
)
_SINGLE: Final = tuple(
    (kind, language, re.compile(rf"(?:{phrase}){_TO_WHOM}")) for kind, language, phrase in _PHRASES
)
# Between two phrases: punctuation, or a word that joins them.
_BREAKS: Final = re.compile(r"[,;:.!?…\n]+|(?<!\w)(?:et|and|mais|but)(?!\w)(?! (?:toi|vous|you)\b)")
# «Et Nice ?» goes on from a question, whatever else the word says; «et toi ?» does not.
_AND_WHAT_OF: Final = re.compile(r"\s*(?:[Ee]t|[Aa]nd)\s+[A-ZÀ-Ý]\w*\s*\?\s*")
# So does «Nice ?» after a question: nobody thanks with a question mark.
_WHAT_OF: Final = re.compile(r"\s*[A-ZÀ-Ý]\w*\s*\?\s*")
_PLEASANTRIES: Final = re.compile(r"[^\w\s'’,;:.!?…-]")  # emoji and other signs
_MOST_CHARS: Final = 120
_MOST_TITLES: Final = 5
_MOST_TITLE_CHARS: Final = 60

_OPENING: Final[dict[Language, dict[Kind, str]]] = {
    "fr": {
        "greeting": "Bonjour !",
        "thanks": "Avec plaisir !",
        "goodbye": "Au revoir, et à bientôt !",
        "help": "Je suis un assistant qui fonctionne entièrement sur votre machine.",
        "yes or no": "D’accord. Quelle est votre question sur vos documents ?",
    },
    "en": {
        "greeting": "Hello!",
        "thanks": "You are welcome!",
        "goodbye": "Goodbye, see you soon!",
        "help": "I am an assistant that runs entirely on your machine.",
        "yes or no": "All right. What is your question about your documents?",
    },
}
_WHAT_I_DO: Final[dict[Language, str]] = {
    "fr": "Posez une question sur vos documents : chaque phrase de ma réponse renvoie à la phrase "
    "exacte qui la prouve, et je le dis quand les documents ne répondent pas. Je peux aussi "
    "résumer un document.",
    "en": "Ask a question about your documents: every statement of my answer points at the exact "
    "sentence that proves it, and I say so when the documents do not answer. I can also summarise "
    "a document.",
}
_NO_DOCUMENT: Final[dict[Language, str]] = {
    "fr": "Aucun document n’est indexé pour l’instant : ajoutez-en un pour commencer.",
    "en": "No document is indexed yet: add one to begin.",
}


def small_talk(utterance: str, *, goes_on: bool = False) -> Kind | None:
    """Return what kind of small talk the whole utterance is, or None for anything else.

    :param goes_on: there was a question before it.
    """
    found = _found(utterance, goes_on)
    return found[0] if found else None


def without_small_talk(history: Sequence[Turn]) -> list[Turn]:
    """Return the turns that asked the documents something."""
    turns: list[Turn] = []
    for turn in history:
        if not small_talk(turn.question, goes_on=bool(turns)):
            turns.append(turn)
    return turns


def reply(
    utterance: str, titles: Sequence[str], backend: str = "", *, goes_on: bool = False
) -> Answer | None:
    """Return a short reply in the utterance's language, or None where it is no small talk.

    :param utterance: what the person said.
    :param titles: of the documents that can be asked.
    :param backend: the name of the model in use, which is not asked.
    :param goes_on: there was a question before it.
    """
    found = _found(utterance, goes_on)
    if found is None:
        return None
    kind, language = found
    text = _OPENING[language][kind]
    if kind in ("greeting", "help"):
        text = f"{text} {_WHAT_I_DO[language]} {_holdings(titles, language)}"
    return Answer(
        text=text,
        answered=False,
        confidence=1.0,
        statements=(),
        citations=(),
        nearest=(),
        question=utterance.strip(),
        backend=backend,
        kind="small talk",
    )


def _found(utterance: str, goes_on: bool) -> tuple[Kind, Language] | None:
    """Return the weightiest phrase's kind, and the language of the first unambiguous one."""
    if len(utterance) > _MOST_CHARS or _AND_WHAT_OF.fullmatch(utterance):
        return None
    text = fold(_PLEASANTRIES.sub(" ", utterance))
    parts = [" ".join(part.split()).strip("- ") for part in _BREAKS.split(text)]
    matched = [_matched(part) for part in parts if part]
    places = [place for part in matched for place in part]
    if not places or not all(matched):
        return None
    kind = _SINGLE[min(places)][0]
    if goes_on and kind == "thanks" and _WHAT_OF.fullmatch(utterance):
        return None
    shared = len(_SINGLE) - 1
    spoken = next((place for place in places if place != shared), shared)
    return kind, _SINGLE[spoken][1]


def _matched(part: str) -> list[int]:
    """Return the places in ``_SINGLE`` of the phrases that make up the whole part, else none."""
    for place, (_, _, phrase) in enumerate(_SINGLE):
        if phrase.fullmatch(part):
            return [place]
    for place, (_, _, phrase) in enumerate(_SINGLE):
        begins = phrase.match(part)
        if begins and part[begins.end() :].startswith(" "):
            rest = _matched(part[begins.end() + 1 :])
            if rest:
                return [place, *rest]
    return []


def _holdings(titles: Sequence[str], language: Language) -> str:
    if not titles:
        return _NO_DOCUMENT[language]
    shown = ", ".join(_shortened(title) for title in titles[:_MOST_TITLES])
    count, more = len(titles), len(titles) - _MOST_TITLES
    if language == "fr":
        rest = f" et {more} autre{'s' if more > 1 else ''}" if more > 0 else ""
        return f"J’ai {count} document{'s' if count > 1 else ''} : {shown}{rest}."
    rest = f" and {more} more" if more > 0 else ""
    return f"I hold {count} document{'s' if count > 1 else ''}: {shown}{rest}."


def _shortened(title: str) -> str:
    flat = " ".join(title.split())
    return flat if len(flat) <= _MOST_TITLE_CHARS else f"{flat[: _MOST_TITLE_CHARS - 1].rstrip()}…"
