"""The page's words in French and English, and the questions that it offers to click.

The browser picks the language. The words are data (``qa/data/labels``), a file for each language;
what the program says in its messages is :mod:`qa.ui.spoken`'s.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files

from qa.ui.protocol import DocumentInfo

LANGUAGES = ("fr", "en")


def _words(language: str) -> dict[str, str]:
    text = files("qa").joinpath("data", "labels", f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)


LABELS: dict[str, dict[str, str]] = {language: _words(language) for language in LANGUAGES}

# Questions that fit a document whose name begins like this; offered while it is indexed.
_KNOWN_DOCUMENTS: dict[str, tuple[str, ...]] = {
    "irak-coalition": (
        "Combien de soldats américains sont déployés en Irak ?",
        "Quand la coalition internationale a-t-elle été formée ?",
        "Qui est le porte-parole de l’armée irakienne ?",
    ),
}
_ANY_DOCUMENT: dict[str, tuple[str, ...]] = {
    "fr": (
        "Quel est le sujet principal du texte ?",
        "Quelles dates le texte donne-t-il ?",
        "Quelles personnes sont nommées ?",
    ),
    "en": (
        "What is the text mainly about?",
        "Which dates does the text give?",
        "Which people are named?",
    ),
}


def examples(documents: Sequence[DocumentInfo]) -> dict[str, list[str]]:
    """Return questions to click for each language: a known document's own, else general ones."""
    if not documents:
        return {language: [] for language in LABELS}
    for document in documents:
        for name, questions in _KNOWN_DOCUMENTS.items():
            if document.id.casefold().startswith(name):
                return {language: list(questions) for language in LABELS}
    return {language: list(questions) for language, questions in _ANY_DOCUMENT.items()}
