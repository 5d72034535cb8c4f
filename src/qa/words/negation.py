"""What a French or English text denies, so that a statement is not taken for its opposite.

It knows the words of negation and no grammar, and tells only plain cases: one of two texts denies,
without an exception or a condition, what the other says.

Example: ``contradicts("Le dépôt est remboursable.", "Le dépôt n'est pas remboursable.")`` is true.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from qa.words.terms import fold, plain_text, stems

_NEGATES: Final = re.compile(
    r"\b(?:ne|pas|jamais|aucun\w*|non|ni|sans|nul\w*|rien|no|not|never|nor|without|cannot|nobody"
    r"|nothing|none)\b|n't\b|\bn'"
)
# «Pas avant mars», "not more than two", «pas à Paris mais à Lyon»: what holds is said by denying.
_QUALIFIES: Final = re.compile(
    r"\b(?:mais|but|sauf|hormis|excepte|except|unless|sans|without|seuls?|seules?|seulement|only"
    r"|just|avant|before|until|jusqu\w*|apres|after|si|s'|if|encore|yet|tous|toutes?|all|every"
    # not «les enfants de moins de 6 ans», who are no limit
    r"|(?<!\bde )plus d[e']|more|less|longer than|(?<!\bde )moins|que|qu')(?![^\W_])"
)
_NOT: Final = r"(?:pas|plus|jamais|guere|point|aucun\w*|nul\w*|rien)\b"
_DENIED: Final = re.compile(
    # «ne garantit pas», «n'est pas remboursable»
    rf"\b(?:ne |n')(?P<verb>(?:[\w-]+[ ']){{1,4}}?){_NOT}(?P<after>(?:[ ,]+[\w'-]+){{0,3}})"
    # «aucun animal n'est admis», «jamais garanti»
    r"|\baucune? (?:[\w'-]+ ){0,4}?(?:ne |n')(?P<none>(?:[\w-]+ ?){1,3})"
    r"|(?:^|[,;:] )(?:pas|jamais)(?P<bare>(?: [\w'-]+){1,2})"
    # «personne n'a protesté»
    r"|(?<!\bune )(?<!\bla )\b(?:personne|nul) (?:ne |n')(?P<nobody>(?:[\w-]+ ?){1,3})"
    # "does not cover", "isn't refundable", "can never be left"
    r"|(?:(?<!\bor )\bnot|n't|\bcannot|\bnever|\bno longer)\b(?P<not>(?: [\w'-]+){1,4})"
)


# What the affirming text may exclude without a word of negation.
_EXCEPTS: Final = re.compile(
    r"\b(?:sauf|hormis|except(?:e|es|ed|ing)?|unless|depourv\w*|devoid|hors d[eu]"
    r"|(?:faute|prive\w*) d[e'])(?![^\W_])"
)
_FORBIDDING: Final = (
    r"interdi\w*|prohibit\w*|forb[ai]d\w*|refus\w*|rejet\w*|reject\w*|payant\w*|gratuit\w*"
)
_FORBIDS: Final = re.compile(rf"\b(?:{_FORBIDDING}|free)\b")
# What a «non» may rest on beside the words that deny: what excludes, refuses or limits.
_RULES_OUT: Final = re.compile(
    r"\b(?:seul\w*|uniquement|only|sauf|except\w*|unless|exclu\w*|limit\w*|reserv\w*|void|banned"
    rf"|{_FORBIDDING}|proscri\w*|ill?egal\w*"
    r"|declin\w*|repouss\w*|annul\w*|cancel\w*|suspend\w*|ferme\w*|clos\w*|impossib\w*|unable"
    r"|unavailab\w*|indisponib\w*|facultati\w*|optional|manqu\w*|lack\w*|fail\w*|vain"
    r"|plupart|most|depourv\w*|prive\w*|muet\w*|dispens\w*|exempt\w*"
    r"|dement\w*|contrairement|hors|devoid)\b"
)


def contradicts(statement: str, source: str) -> bool:
    """Tell whether one of the two plainly denies a word that the other says.

    Words are compared by their stems, so of two languages nothing is told. Where both texts deny
    something, or the one that does makes an exception, nothing is told either.
    """
    texts = [fold(plain_text(" ".join(text.split()))) for text in (statement, source)]
    denying = [text for text in texts if _NEGATES.search(text)]
    if len(denying) != 1 or _QUALIFIES.search(denying[0]):
        return False
    (affirming,) = (text for text in texts if text is not denying[0])
    if _EXCEPTS.search(affirming):  # «fermé le lundi», «tous les jours sauf le lundi»
        return False
    return not _denied(denying[0]).isdisjoint(stems(affirming))


def forbids(text: str) -> bool:
    """Tell whether a folded text denies, forbids or exempts anything."""
    return bool(_NEGATES.search(text) or _FORBIDS.search(text))


def denies(text: str) -> bool:
    """Tell whether anything in the text denies, excludes or limits, so that a «non» may follow."""
    text = fold(plain_text(" ".join(text.split())))
    return bool(_NEGATES.search(text) or _RULES_OUT.search(text))


def _denied(text: str) -> set[str]:
    """Return the stems that a folded text denies and says nowhere else."""
    denied: set[str] = set()
    for match in _DENIED.finditer(text):
        verb, *others = match.group("verb", "after", "none", "bare", "nobody", "not")
        words = stems(verb or "") or [stem for part in others if part for stem in stems(part)]
        denied.update(words[:1])
    said = Counter(stems(text))
    return {stem for stem in denied if said[stem] == 1}
