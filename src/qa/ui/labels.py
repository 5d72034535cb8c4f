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
        "upload": "Ajouter des documents",
        "welcome": "Posez une question : chaque phrase de la réponse renvoie à la phrase exacte"
        " du document qui la prouve.",
        "no_documents": "Aucun document pour l’instant : ajoutez des fichiers, ou déposez-les ici.",
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
        "sentences": "phrases",
        "page": "p.",
        "shown": "Phrase montrée dans le document",
        "back": "Retour à la réponse",
        "changed": "Le document a changé depuis cette réponse : la phrase n’y est plus telle"
        " quelle.",
        "upload_failed": "Le fichier n’a pas pu être ajouté ; le journal du serveur dit pourquoi.",
        "documents": "Documents",
        "language": "Français",
        "dark": "Affichage sombre",
        "light": "Affichage clair",
        "sentence": "phrase",
        "text": "Texte du document",
        "close_document": "Fermer le document",
        "show_documents": "Montrer les documents",
        "hide_documents": "Cacher les documents",
        "ask_document": "Interroger",
        "all_documents": "Interroger tous les documents",
        "one_at_least": "Un document au moins doit être interrogé.",
        "search_documents": "Chercher un document",
        "ready": "interrogé",
        "left_out": "laissé de côté",
        "remove": "Retirer",
        "remove_question": "Retirer",
        "removed": "Retiré (le fichier est conservé dans le dossier de l’index)",
        "cancel": "Annuler",
        "reindex": "Actualiser",
        "reindexing": "Lecture des fichiers nouveaux ou modifiés…",
        "files_added": "ajouté(s)",
        "files_updated": "mis à jour",
        "files_removed": "retiré(s)",
        "unchanged": "Rien n’a changé.",
        "panel_failed": "Cela a échoué pour une raison inattendue ; le journal du serveur dit"
        " pourquoi.",
        "drop_hint": "ou déposez-les n’importe où sur la page :",
        "drop_here": "Déposez les fichiers pour les ajouter",
        "uploads": "Fichiers envoyés",
        "upload_waiting": "en attente",
        "upload_sending": "envoi",
        "upload_reading": "lecture et indexation…",
        "upload_added": "ajouté",
        "upload_same": "déjà là : le même fichier avait été ajouté",
        "cut": "l’envoi a été interrompu ; rien n’a été ajouté.",
        "try_again": "Réessayer",
        "wrong_type": "ce type de fichier ne se lit pas. Types lus :",
        "too_large": "trop gros : la limite est de",
        "megabytes": "Mo",
        "close": "Fermer",
        "page_picture": "Voir la page",
        "page_of": "Page",
        "page_before": "Page précédente",
        "page_after": "Page suivante",
        "no_picture": "La page n’a pas pu être dessinée ; le journal du serveur dit pourquoi.",
        "model": "Modèle",
        "lost": "Le serveur ne répond plus. Relancez-le, puis rechargez la page.",
    },
    "en": {
        "title": "Ask your documents",
        "question": "Question",
        "placeholder": "Ask a question…",
        "send": "Send",
        "stop": "Stop",
        "upload": "Add documents",
        "welcome": "Ask a question: every statement of the answer points at the exact sentence"
        " of the document that proves it.",
        "no_documents": "No document yet: add files, or drop them here.",
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
        "sentences": "sentences",
        "page": "p.",
        "shown": "Sentence shown in the document",
        "back": "Back to the answer",
        "changed": "The document has changed since this answer: the sentence is no longer there"
        " as it was.",
        "upload_failed": "The file could not be added; the server’s log says why.",
        "documents": "Documents",
        "language": "English",
        "dark": "Dark display",
        "light": "Light display",
        "sentence": "sentence",
        "text": "Text of the document",
        "close_document": "Close the document",
        "show_documents": "Show the documents",
        "hide_documents": "Hide the documents",
        "ask_document": "Ask",
        "all_documents": "Ask all documents",
        "one_at_least": "One document at least must be asked.",
        "search_documents": "Find a document",
        "ready": "asked",
        "left_out": "left out",
        "remove": "Remove",
        "remove_question": "Remove",
        "removed": "Removed (the file is kept in the folder of the index)",
        "cancel": "Cancel",
        "reindex": "Refresh",
        "reindexing": "Reading new and changed files…",
        "files_added": "added",
        "files_updated": "updated",
        "files_removed": "removed",
        "unchanged": "Nothing has changed.",
        "panel_failed": "That failed for an unexpected reason; the server’s log says why.",
        "drop_hint": "or drop them anywhere on the page:",
        "drop_here": "Drop the files to add them",
        "uploads": "Files sent",
        "upload_waiting": "waiting",
        "upload_sending": "sending",
        "upload_reading": "reading and indexing…",
        "upload_added": "added",
        "upload_same": "already there: the same file had been added",
        "cut": "the upload was interrupted; nothing was added.",
        "try_again": "Try again",
        "wrong_type": "this type of file cannot be read. Types that can:",
        "too_large": "too large: the limit is",
        "megabytes": "MB",
        "close": "Close",
        "page_picture": "See the page",
        "page_of": "Page",
        "page_before": "Previous page",
        "page_after": "Next page",
        "no_picture": "The page could not be drawn; the server’s log says why.",
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
