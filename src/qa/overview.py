"""Requests for the whole («résume», «de quoi parle ce document ?»): the sentences that cover it.

Such a request has no proving sentence, so it is not refused either: the document is cut into parts
and the most central sentence of each part is quoted. It knows nothing of models, so nothing can be
invented.

Example: ``is_overview("De quoi parle ce document ?")`` is true.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence

from qa.types import Hit, Sentence
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
    r"|de quoi (?:ca )?(?:parle|traite|s'agit|est-il question)(?:-t-\w+)?|(?:parle|traite) de quoi"
    r"|sur quoi (?:ca )?porte|apercu|vue d'ensemble|grandes lignes|(?:en|dans les) gros"
    r"|summar(?:y|ies|i[sz]e)|sum (?:it |this |that )?up|overview|gist|outline"
    r"|what (?:is|are|'s) (?:this|the|these)(?: [\w-]+){0,3} about(?! to)|what's it about)\b"
)
# Asks for the whole only when it asks for nothing else («le thème de l’exposition» is a fact).
_THINGS = (
    r"(?:idee|point|information|info|element|message|theme|sujet|etape|partie|regle|condition|"
    r"evenement|decision|resultat)s?"
)
_CHIEF = r"(?:principa|importan|essentiel|cle|fort|marquan|aborde|traite|grand)\w*"
_SEVERAL = r"(?:deux|differente?s|diverse?s)"
_WEAK = re.compile(
    rf"\b(?:{_THINGS} (?:les plus |sont )?{_CHIEF}|{_CHIEF} {_THINGS}|themes?|sujets?|but|contenu"
    r"|essentiel|retenir|en (?:quelques|deux|trois) (?:mots|phrases|lignes|points)"
    r"|(?:decri(?:s|re)|presente[rz]?|explique[rz]?|parle|raconte|dis)(?:[- ](?:moi|nous))?"
    r"|qu(?:e|'est[- ]ce que) (?:contient|dit|raconte|explique|apprend|presente)|c'est quoi"
    r"|que (?:dit|pense|veut|propose|demande) (?:chaque|chacune?)"
    rf"|que (?:disent|pensent|veulent|proposent) (?:les )?{_SEVERAL}"
    rf"|(?:positions?|avis|points? de vue|opinions?|arguments?) (?:de chac\w+|(?:de|des) {_SEVERAL}"
    r"|(?:sont )?exprime\w*|en presence)"
    r"|(?:main|key|(?:most )?important) (?:point|idea|takeaway|fact|topic|finding)s?"
    r"|takeaways?|highlights|in (?:a few|two|three) (?:words|sentences|lines|points)|describe"
    r"|what (?:topics?|subjects?) (?:does|do|are|is)|purpose|(?:tell me|talk) about"
    r"|what does (?=th.*\b(?:say|cover|contain|discuss|describe|explain|talk))"
    r"|what does each \w+ (?:say|think|want|propose))\b"
)
# Words about texts and tellings in general.
_ABOUT_THE_TEXT = frozenset(
    stems(
        """document texte article fichier contenu sujet thème résumé synthèse idées points camp côté
partie parties intervenant intervenants personne acteur acteurs principal principales principaux
essentiel important importants clés phrases mots lignes parle traite agit fais faire donne
donner peux pouvez pourrais pourriez tu vous moi faut bref brève court courte simple rapide
simplement brièvement rapidement différents deux trois quelques stp svp plaît merci abordés
traités ça propos tout toute entier sont quoi side party parties speaker speakers people text
file content subject topic topics summary overview main key about short brief briefly quick
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
_FEWEST, _MOST = 3, 6
# Of a part's paragraphs.
_HEARD = 2 / 3
# Where the text shows no paragraphs, a part is about this many sentences: a page gets three
# statements, a long text six.
_PART_SENTENCES = 3
# Very short sentences say little alone; very long ones are tiring to read.
_READABLE_CHARS = range(40, 320)


def is_overview(question: str, title: str = "") -> bool:
    """Tell whether the question asks for the whole of a document and not for a fact in it.

    :param title: the document's; what it names is the whole («résume la vie d’Yvonne Kervoas»).
    """
    rest = fold(question).partition(" : ")[0]
    named = set(stems(title))
    strong = _STRONG.search(rest)
    if not strong and not _WEAK.search(rest):
        return False
    for known in (_STRONG, _NAMED, _WEAK):
        rest = known.sub(" ", rest)
    rest = _SHOWN.sub(lambda f: " " if strong or named & set(stems(f[0])) else f[0], rest)
    left = set(stems(rest)) - _ABOUT_THE_TEXT
    return left <= (named | _ASPECTS) if strong else not left


def central_sentences(sentences: Sequence[Sentence], text: str) -> tuple[tuple[Hit, ...], ...]:
    """Return, for each part of the document in reading order, its most central sentences.

    A sentence is central when its words occur in many sentences: the mean, over its distinct stems,
    of the share of sentences with that stem (Luhn 1958). A part is some paragraphs that follow each
    other, and two thirds of them are heard, with one sentence each.

    :param sentences: the document's, in order.
    :param text: the document's, for where its paragraphs end.
    :return: three to six parts (fewer for a shorter document); ``score`` is the centrality, 0 to 1.
    """
    citable = [sentence for sentence in sentences if not sentence.heading]
    words = {sentence: set(stems(sentence.text)) for sentence in citable}
    spread = Counter(stem for held in words.values() for stem in held)
    scores = {sentence: _centrality(sentence, words[sentence], spread) for sentence in citable}
    best = [
        max(paragraph, key=lambda sentence: (scores[sentence], -sentence.index))
        for paragraph in _paragraphs(citable, text)
    ]
    ranks = itertools.count(1)
    return tuple(
        tuple(
            Hit(sentence, scores[sentence] / len(citable), next(ranks))
            for sentence in sorted(
                sorted(part, key=lambda s: -scores[s])[: math.ceil(len(part) * _HEARD)],
                key=lambda sentence: sentence.index,
            )
        )
        for part in _cut(best, min(_MOST, len(best)))
    )


def _paragraphs(citable: Sequence[Sentence], text: str) -> list[Sequence[Sentence]]:
    """Group sentences by blank lines, or by lines where there are none, or by threes."""
    if not citable:
        return []
    for mark in ("\n\n", "\n"):
        place = {sentence: text.count(mark, 0, sentence.start) for sentence in citable}
        paragraphs = [list(group) for _, group in itertools.groupby(citable, place.__getitem__)]
        if len(paragraphs) >= _FEWEST:
            return list(paragraphs)
    count = min(len(citable), max(_FEWEST, min(_MOST, len(citable) // _PART_SENTENCES)))
    return _cut(citable, count)


def _cut(items: Sequence[Sentence], parts: int) -> list[Sequence[Sentence]]:
    """Cut a sequence into ``parts`` runs of nearly equal length."""
    bounds = [len(items) * number // parts for number in range(parts + 1)] if parts else []
    return [items[start:end] for start, end in itertools.pairwise(bounds)]


def _centrality(sentence: Sentence, words: set[str], spread: Counter[str]) -> float:
    mean = sum(spread[stem] for stem in words) / len(words) if words else 0.0
    return mean if len(sentence.text) in _READABLE_CHARS else mean / 2
