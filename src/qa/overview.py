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
from qa.words import stems

# What the text is called: «ce manuel», "the e-mail thread"; it leaves nothing asked for.
_TEXT = (
    r"(?:ce|cet|cette|ces|le|la|les|l['’]|du|des|de la|de l['’]|au|this|these|the)\s*"
    r"(?:pr[ée]sent\w* )?(?:document|texte|articles?|fichier|page|pdf|contrat|bail|compte[- ]rendu|"
    r"proc[èe]s[- ]verbal|rapport|courrier|lettre|e-?mails?|mails?|messages?|[ée]changes?|recette|"
    r"manuel|mode d['’]emploi|notice|guide|[ée]tude|faq|foire aux questions|biographie|communiqu[ée]|"
    r"text|file|contract|lease|minutes|report|letter|(?:e-?mail |message )?thread|recipe|manual|"
    r"study|paper|abstract|biography|(?:press )?release|story|conversation|discussion|dossier)s?\b"
)
# Asks for the whole by itself.
_STRONG = re.compile(
    r"\b(?:r[ée]sum(?:e|er|ez|é|és|ons)(?:[- ](?:moi|nous))?|synth[ée]tis(?:e|er|ez)|synth[èe]se"
    r"|de quoi (?:[çc]a )?(?:parle|traite|s['’]agit|est-il question)(?:-t-\w+)?"
    r"|(?:parle|traite) de quoi|sur quoi (?:porte|[çc]a porte)"
    r"|vue d['’]ensemble|grandes lignes|(?:en|dans les) gros|tl;?dr|topo"
    r"|summar(?:y|ies|i[sz]e)|sum (?:it |this |that )?up|overview|gist|outline"
    r"|what (?:is|are|['’]s) (?:this|the|these)(?: [\w-]+){0,3} about(?! to)|what['’]s it about)\b",
    re.IGNORECASE,
)
# Asks for the whole only when it asks for nothing else («le thème de l’exposition» is a fact).
_WEAK = re.compile(
    r"\b(?:(?:sujets?|th[èe]mes?|but|contenu|propos) (?:principa\w+ )?"
    r"|(?:id[ée]es?|points?|informations?|infos?|[ée]l[ée]ments?|messages?|th[èe]mes?|sujets?)"
    r" (?:les plus |sont )?(?:principa|importan|essentiel|cl[ée]|fort|marquan|abord[ée]|trait[ée])\w*"
    r"|(?:principa|grand)\w+ (?:id[ée]es?|points?|informations?|th[èe]mes?|sujets?|[ée]tapes?|parties)"
    r"|essentiel|retenir|en (?:quelques|deux|trois) (?:mots|phrases|lignes|points)"
    r"|(?:d[ée]cri[st]|d[ée]crire|pr[ée]sente[rz]?|explique[rz]?|parle|raconte|dis)[- ](?:moi |nous )?"
    r"|qu(?:e|['’]est[- ]ce que) (?:contient|dit|raconte|explique|apprend|pr[ée]sente)"
    r"|c['’]est quoi|que (?:dit|pense|veut|propose|demande) (?:chaque|chacun\w*)"
    r"|que (?:disent|pensent|veulent|proposent) (?:les )?(?:diff[ée]rent\w+|deux|divers\w*)"
    r"|(?:positions?|avis|points? de vue|opinions?|arguments?) (?:de chac\w+|(?:de|des) (?:deux|"
    r"diff[ée]rent\w+)|(?:sont )?exprim[ée]\w*|en pr[ée]sence)"
    r"|(?:main|key|important|most important) (?:points?|ideas?|takeaways?|facts?|topics?|findings?)"
    r"|takeaways?|highlights|in (?:a few|two|three) (?:words|sentences|lines|points)"
    r"|what (?:topics?|subjects?) (?:does|do|are|is)|purpose|(?:tell me|talk) about|describe"
    r"|what does (?=th.*\b(?:say|cover|contain|discuss|describe|explain|talk))|what does each \w+ (?:say|think|want|propose))",
    re.IGNORECASE,
)
# Words about texts and tellings in general.
_ABOUT = """document texte article fichier contenu sujet thème résumé synthèse idées points
camp côté partie parties intervenant intervenants personne acteur acteurs side party parties speaker
speakers people principal principales principaux essentiel important importants clés phrases mots
lignes parle traite agit fais faire donne donner peux pourrais tu vous moi faut bref brève court
courte pouvez pourriez can could rapide simple simplement brièvement rapidement différents deux trois quelques stp svp plaît
merci plaît abordés traités ça tout toute entier grandes grands sont quoi text file content subject topics topic summary
overview main key about tldr give short brief briefly quick please cover covers covered say says
discuss discussed whole entire write make provide want need know tell"""
_ABOUT_THE_TEXT = frozenset(stems(_ABOUT))
_NAMED = re.compile(_TEXT, re.IGNORECASE)
# «Résume cette réunion», but «résume la position de Bagdad» asks about something in the text.
_SHOWN = re.compile(r"\b(?:ce|cet|cette|ces|this|these)\s+[\w-]+", re.IGNORECASE)
_FEWEST, _MOST = 3, 6
# Of a part's paragraphs.
_HEARD = 2 / 3
# Where the text shows no paragraphs, a part is about this many sentences: a page gets three
# statements, a long text six.
_PART_SENTENCES = 3
# Very short sentences say little alone; very long ones are tiring to read.
_READABLE_CHARS = range(40, 320)


def is_overview(question: str) -> bool:
    """Tell whether the question asks for the whole of a document and not for a fact in it."""
    strong = _STRONG.search(question)
    if not strong and not _WEAK.search(question):
        return False
    rest = question
    for known in (_STRONG, _NAMED, _WEAK, *([_SHOWN] if strong else [])):
        rest = known.sub(" ", rest)
    return not set(stems(rest)) - _ABOUT_THE_TEXT


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
