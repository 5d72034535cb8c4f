"""Tells a request for the whole of a document, or for no document, from a question about one.

Two ways: phrases that ask for it («résume», «de quoi parle ce document ?») and leave nothing
else asked for, and, for all other wordings («mets-moi au courant»), a linear model on the
question's embedding. A second one tells what is for no document («traduis-moi …»). Their weights
are data (``data/whole.json``); ``python -m qa_eval.whole`` fits them for one encoder, and with
others the phrases are all there is.

Example: ``is_overview("De quoi parle ce document ?")`` is true.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from qa.words import fold, stems

# The question is compared without accents and capitals. What the text is called leaves nothing
# asked for: «ce manuel», "the e-mail thread".
_DETERMINER = r"(?:ce|cet|cette|ces|la|les?|l'|du|des|de (?:la|l')|au|this|these|the)"
_NOUN = """document texte article fichier page pdf contrat bail compte.rendu proces.verbal
rapport courrier lettre e?-?mail message echange recette manuel mode.d'emploi notice guide etude faq
biographie communique dossier conversation text file contract lease minute report letter recipe
manual study paper abstract biography story discussion (?:[a-z-]+.)?thread (?:press.)?release"""
_NAMED = re.compile(rf"\b{_DETERMINER}\s*(?:{'|'.join(_NOUN.split())})s?\b")
# «Résume cette réunion», but «résume la position de Bagdad» asks about something in the text.
_SHOWN = re.compile(r"\b(?:ce|cet|cette|ces|this|these)\s+[\w-]+")
# Asks for the whole by itself.
_STRONG = re.compile(
    r"\b(?:resum(?:e|er|ez|es|ons)(?:[- ](?:moi|nous))?|synthetis(?:e|er|ez)|synthese|tl;?dr|topo"
    r"|de quoi (?:ca )?(?:parle(?:nt)?|traite(?:nt)?|s'agit|est-il question)(?:-t-\w+)?"
    r"|(?:parle|traite)(?:nt)? de quoi|sur quoi (?:ca )?porte(?:nt)?|apercu"
    r"|vue d'ensemble|grandes lignes|(?:en|dans les) gros"
    r"|summar(?:y|ies|i[sz]e)|sum (?:it |this |that )?up|overview|gist|outline"
    r"|what (?:is|are|'s) (?:this|the|these)(?: [\w-]+){0,3} about(?! to)|what's it about)\b"
)
# Asks for the whole only when it asks for nothing else («le thème de l’exposition» is a fact).
_THINGS = (
    r"(?:idee|point|information|info|element|message|theme|sujet|etape|partie|regle|condition|"
    r"evenement|decision|resultat)s?"
)
_CHIEF = r"(?:principa|importan|essentiel|cle|fort|marquan|aborde|traite|grand|centra)\w*"
_SEVERAL = r"(?:deux|differente?s|diverse?s)"
_FEW = r"(?:quelques|\d+|deux|trois|quatre|cinq|a few|two|three|four|five)"
_WEAK = re.compile(
    rf"\b(?:{_THINGS} (?:les plus |sont )?{_CHIEF}|{_CHIEF} {_THINGS}|themes?|sujets?|but|contenu"
    rf"|essentiel|retenir|(?:en|in) {_FEW} (?:mots|phrases|lignes|points|words|sentences|lines)"
    r"|(?:decri(?:s|re)|presente[rz]?|explique[rz]?|parle|raconte|dis)(?:[- ](?:moi|nous))?"
    r"|qu(?:e|'est[- ]ce que) (?:contient|dit|raconte|explique|apprend|presente)|c'est quoi"
    r"|que (?:dit|pense|veut|propose|demande) (?:chaque|chacune?)"
    rf"|que (?:disent|pensent|veulent|proposent) (?:les )?{_SEVERAL}"
    r"|(?:positions?|avis|points? de vue|opinions?|arguments?) (?:de cha(?:cun|que)\w*"
    rf"|(?:de|des) {_SEVERAL}|(?:sont )?exprime\w*|en presence)"
    r"|(?:main|key|(?:most )?important) (?:point|idea|takeaway|fact|topic|finding)s?"
    r"|takeaways?|highlights|describe"
    r"|what (?:topics?|subjects?) (?:does|do|are|is)|purpose|(?:tell me|talk) about"
    r"|what does (?=th.*\b(?:say|cover|contain|discuss|describe|explain|talk))"
    r"|what does each \w+ (?:say|think|want|propose))\b"
)
# «Qui parle ?», «parle-moi de lui», «dis-moi pourquoi» ask for a fact.
_ASKS_OF_SOMEBODY = re.compile(
    r"\b(?:qui|quand|pourquoi|comment|combien|lui|elles?|eux|ils?|who|when|where|why|how|he|she|they"
    r"|him|her|them|his|their)\b"
)
# «Sujet de sa thèse», but «son contenu»: «these» alone would be a word that says nothing.
_OF_ANOTHER = re.compile(r"\b(?:sa|son|ses|leurs?|his|her|their) \w")
# When or how much: a fact, however long the question is that asks for it.
_QUANTITY = re.compile(
    r"\b(?:combien"
    r"|(?:a|de|pour|vers|avant|apres|depuis|jusqu'a|jusqu'en|d'ici|en|c'est) quel(?:le)?s?"
    r" (?:date|heure|age|adresse|montant|prix|duree|jour|annee|mois|moment|taux)"
    r"|(?:a partir de|depuis|jusqu'a) quand|quand(?=\W*$)"
    r"|how (?:many|much|long|often|old|far|late|early|soon)|what (?:time|date|year|day)"
    r"|when (?:is|are|was|were|does|do|did|will|can|should|must)|(?:by|until|since) when)\b"
)
# Words about texts and tellings in general.
_ABOUT_THE_TEXT = frozenset(
    stems(
        """document texte article fichier contenu sujet thème résumé synthèse idées points camp côté
partie parties intervenant intervenants personne acteur acteurs principal principales principaux
essentiel important importants clés phrases mots lignes parle parlent traite traitent agit fais
faire donne donner peux pouvez pourrais pourriez tu vous moi faut bref brève court courte simple
rapide simplement brièvement rapidement différents deux trois quelques stp svp plaît merci
abordés traités ça propos tout toute entier sont quoi side party parties speaker speakers people
text file content subject topic topics summary overview main key about short brief briefly quick
please cover covered say discuss discussed whole entire write make provide want need know tell
give can could chacun"""
    )
)
# What a whole is made of: «résume le parcours et les résultats».
_ASPECTS = frozenset(
    stems(
        """vie histoire économie population conditions règles résultats limites méthode conclusions
déroulement étapes parcours carrière contexte événements faits life history findings results limits
limitations methods conclusions rules terms steps events career background"""
    )
)


def is_overview(question: str, title: str = "") -> bool:
    """Tell whether the question asks for the whole of a document and not for a fact in it.

    :param title: the document's; what it names is the whole («résume la vie d’Yvonne Kervoas»).
    """
    rest, _, given = fold(question).partition(" : ")
    if given.startswith(("«", "“", '"')):  # «résume en cinq mots : « … »» brings its own text
        return False
    named = set(stems(title))
    strong = _STRONG.search(rest)
    of_somebody = _ASKS_OF_SOMEBODY.search(rest) and not _NAMED.search(rest)
    if not strong and (of_somebody or not _WEAK.search(rest)):
        return False
    for known in (_STRONG, _WEAK, _NAMED):
        rest = known.sub(" ", rest)
    rest = _SHOWN.sub(lambda f: " " if strong or named & set(stems(f[0])) else f[0], rest)
    if not strong and _OF_ANOTHER.search(rest):
        return False
    left = set(stems(rest)) - _ABOUT_THE_TEXT
    return left <= (named | _ASPECTS) if strong else not left


# Up to these log-odds a question sounds like one about a document: so do 95 of a hundred.
_PLAIN = -2.0
# However foreign a question sounds, a document that plainly answers it is believed.
_MOST_FOREIGN = 5.0


class _Linear(NamedTuple):
    weights: npt.NDArray[np.float32]
    intercept: float

    def __call__(self, vector: npt.NDArray[np.float32]) -> float:
        return float(vector @ self.weights) + self.intercept


class _Fitted(NamedTuple):
    encoder: str
    whole: _Linear
    foreign: _Linear
    threshold: float
    threshold_refused: float


def foreignness(vector: npt.NDArray[np.float32], encoder: str) -> float:
    """Return how much a question sounds as if no document could answer it: «écris un poème».

    :param vector: of the question, (dim,) float32, of length 1.
    :param encoder: the id of the one that made it.
    :return: how far the log-odds are above those of a plain question, from 0, also with another
        encoder than the fitted, to 5.
    """
    fitted = _fitted()
    if encoder != fitted.encoder:
        return 0.0
    return min(_MOST_FOREIGN, max(0.0, fitted.foreign(vector) - _PLAIN))


def asks_when_or_how_much(question: str) -> bool:
    """Tell whether a question asks for a date, a time or a quantity, so for no whole."""
    return _QUANTITY.search(fold(question)) is not None


def sounds_whole(vector: npt.NDArray[np.float32], encoder: str, *, refused: bool = False) -> bool:
    """Tell by its embedding whether a question asks for the whole of a document.

    :param vector: of the question, (dim,) float32, of length 1.
    :param encoder: the id of the one that made it; of another one than the fitted: never.
    :param refused: it was put as a question, and the documents do not answer it: less will do.
    """
    fitted = _fitted()
    if encoder != fitted.encoder:
        return False
    enough = fitted.threshold_refused if refused else fitted.threshold
    return 1 / (1 + math.exp(-fitted.whole(vector))) >= enough


@cache
def _fitted() -> _Fitted:
    data = json.loads((files("qa") / "data" / "whole.json").read_text(encoding="utf-8"))

    def linear(name: str) -> _Linear:
        return _Linear(np.array(data[name]["weights"], np.float32), data[name]["intercept"])

    return _Fitted(
        data["fitted"]["encoder"],
        linear("whole"),
        linear("foreign"),
        data["threshold"],
        data["threshold_refused"],
    )
