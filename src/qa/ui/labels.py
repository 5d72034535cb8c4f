"""The page's words in French and English, and the questions that it offers to click.

The browser picks the language; text from documents, models and errors is never looked up here.
"""

from __future__ import annotations

from collections.abc import Sequence

from qa.ui.protocol import DocumentInfo

LABELS: dict[str, dict[str, str]] = {
    "fr": {
        "title": "Questions aux documents",
        "question": "Question",
        "placeholder": "Posez une question…",
        "send": "Envoyer",
        "stop": "Arrêter",
        "upload": "Ajouter des documents (.txt, .md)",
        "welcome": "Posez une question : chaque phrase de la réponse renvoie à la phrase exacte"
        " du document qui la prouve.",
        "no_documents": "Aucun document pour l’instant : ajoutez un fichier .txt ou .md.",
        "examples": "Pour commencer",
        "log": "Conversation",
        "you": "Vous",
        "thinking": "Recherche des phrases qui répondent…",
        "writing": "Rédaction…",
        "stopped": "Réponse arrêtée.",
        "failed": "La réponse a échoué pour une raison inattendue ; le journal du serveur dit"
        " pourquoi. Posez la question à nouveau.",
        "nearest": "Les phrases les plus proches :",
        "supported": "appuyé par la source",
        "partly": "en partie appuyé",
        "quoted": "cité tel quel",
        "asked": "Question comprise :",
        "document": "Document",
        "choose": "Document affiché",
        "sentences": "phrases",
        "page": "p.",
        "shown": "Phrase montrée dans le document",
        "back": "Retour à la réponse",
        "changed": "Le document a changé depuis cette réponse : la phrase n’y est plus telle"
        " quelle.",
        "empty": "Le texte du document s’affiche ici.",
        "added": "ajouté",
        "refused": "refusé",
        "upload_failed": "Le fichier n’a pas pu être ajouté ; le journal du serveur dit pourquoi.",
        "model": "Modèle",
        "lost": "Le serveur ne répond plus. Relancez-le, puis rechargez la page.",
    },
    "en": {
        "title": "Ask your documents",
        "question": "Question",
        "placeholder": "Ask a question…",
        "send": "Send",
        "stop": "Stop",
        "upload": "Add documents (.txt, .md)",
        "welcome": "Ask a question: every statement of the answer points at the exact sentence"
        " of the document that proves it.",
        "no_documents": "No document yet: add a .txt or .md file.",
        "examples": "To begin with",
        "log": "Conversation",
        "you": "You",
        "thinking": "Looking for the sentences that answer…",
        "writing": "Writing…",
        "stopped": "Answer stopped.",
        "failed": "The answer failed for an unexpected reason; the server’s log says why."
        " Ask the question again.",
        "nearest": "The nearest sentences:",
        "supported": "supported by the source",
        "partly": "partly supported",
        "quoted": "quoted",
        "asked": "Question as understood:",
        "document": "Document",
        "choose": "Document shown",
        "sentences": "sentences",
        "page": "p.",
        "shown": "Sentence shown in the document",
        "back": "Back to the answer",
        "changed": "The document has changed since this answer: the sentence is no longer there"
        " as it was.",
        "empty": "The document’s text is shown here.",
        "added": "added",
        "refused": "refused",
        "upload_failed": "The file could not be added; the server’s log says why.",
        "model": "Model",
        "lost": "The server no longer answers. Start it again, then reload the page.",
    },
}

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
