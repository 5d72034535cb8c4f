"""What the program says reaches the page's readers in their language, whole and with its values."""

from __future__ import annotations

import ast
import re
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa import errors
from qa.store.faults import REBUILD, REEMBED
from qa.ui.labels import LABELS
from qa.ui.spoken import said, translated

PACKAGE = Path(__file__).parents[1] / "src" / "qa"
STATIC = PACKAGE / "ui" / "static"
CATALOGUE = PACKAGE / "data" / "messages" / "fr.toml"
ERRORS = {name for name in vars(errors) if name[0].isupper()}
# What only the command line, other programs or whoever starts the server gets to read.
NOT_ON_THE_PAGE = (
    "api/access.py",
    "api/mcp.py",
    "api/routes.py",
    "api/serving.py",
    "cli.py",
    "doctor.py",
    "embed.py",
    "prompt.py",
    "settings.py",
    "store/llama.py",
    "transfer.py",
    "ui/serve.py",
    "weights/encoder.py",
    "weights/gguf.py",
)


def template(node: ast.AST) -> str | None:
    """Return the text of a string with ``X1``, ``X2``… for what varies; None if it is no string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    parts = [part.value if isinstance(part, ast.Constant) else None for part in node.values]
    count = iter(range(1, 10))
    return "".join(f"X{next(count)}" if part is None else str(part) for part in parts)


def is_message(call: ast.Call) -> bool:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    told = name == "append" and ast.unparse(call.func).endswith("notices.append")
    return told or name in ERRORS or name in ("progress", "say")


def messages() -> Iterator[tuple[str, str]]:
    """Yield every message that may reach a reader, with where it stands."""
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).as_posix()
        if place in NOT_ON_THE_PAGE:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and is_message(node):
                text = template(node.args[0])
                if text is not None:
                    yield f"{place}:{node.lineno}", text


def known(text: str) -> bool:
    """Tell whether a message has a translation; of some, the caller puts the name before."""
    return translated(text) is not None or translated(f"'a.txt' {text}") is not None


# Said while the index is made at the command line, before there is a page.
BEFORE_THE_PAGE = ("X1 of X2 sentences have their new vectors",)
# Nothing but other messages, each looked up in turn.
ONLY_VALUES = re.compile(r"(X\d|\W)*")


def test_every_message_that_a_reader_may_see_is_said_in_french() -> None:
    found = [
        (place, text)
        for place, text in messages()
        if not ONLY_VALUES.fullmatch(text) and text not in BEFORE_THE_PAGE
    ]
    assert len(found) > 80
    missing = [f"{place}: {text}" for place, text in found if not known(text)]
    assert missing == [], f"say them in French in {CATALOGUE.name}, or list where they stand above"


def test_a_translation_has_exactly_the_values_of_its_message() -> None:
    for english, french in tomllib.loads(CATALOGUE.read_text("utf-8")).items():
        holes = re.findall(r"\{(\d)\}", english)
        assert holes == [str(number) for number in range(1, len(holes) + 1)], english
        assert sorted(re.findall(r"\{(\d)\}", french)) == holes, french


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("the index is empty", "l’index est vide"),
        (
            "'contrat.pdf' is encrypted; open it with its password and save it without one",
            "'contrat.pdf' est chiffré ; ouvrez-le avec son mot de passe et enregistrez-le sans",
        ),
        (
            "'a.txt' is a PDF file, not text; give it the suffix of what it is, or convert it",
            "'a.txt' est un fichier PDF, et non du texte ; donnez-lui l’extension de ce qu’il est,"
            " ou convertissez-le",
        ),
        (
            "answers are quotations only, without a language model: no Ollama server answers at"
            " 'http://127.0.0.1:1': start it with `ollama serve`, or set ollama_url",
            "les réponses ne sont que des citations, sans modèle de langue : aucun serveur Ollama"
            " ne répond à 'http://127.0.0.1:1' : lancez-le avec `ollama serve`, ou réglez"
            " ollama_url",
        ),
        (
            "no text on pages 1, 3–5: empty, or scanned",
            "pas de texte aux pages 1, 3–5 : vides, ou numérisées",
        ),
        ("the model reads '{1} {2}\\n', once", "le modèle lit '{1} {2}\\n', une fois"),
    ],
)
def test_a_message_is_said_in_both_languages(english: str, french: str) -> None:
    assert said(english) == {"en": english, "fr": french}


def test_the_page_s_scripts_use_words_that_both_languages_have() -> None:
    scripts = "".join(file.read_text("utf-8") for file in sorted(STATIC.glob("*.js")))
    used = set(re.findall(r"\bWORDS\.(\w+)", scripts))
    made = {one.split("${")[0] for one in re.findall(r"WORDS\[`([^`]+)`\]", scripts)}
    assert len(used) > 60
    for labels in LABELS.values():
        assert used <= labels.keys()
        assert all(any(name.startswith(begin) for name in labels) for begin in made)


@settings(deadline=None, max_examples=25)
@given(st.text())
def test_what_is_not_known_stays_as_it_is(text: str) -> None:
    unknown = f"§ {text}"
    assert said(unknown) == {"en": unknown, "fr": unknown}


def test_a_long_hostile_message_takes_no_time() -> None:
    begin = time.monotonic()
    for part in ("is damaged or cut off and cannot be read as ", "; ", " is , not ", "'"):
        said(part * 5000)
        said((part * 2000)[:2000])
    assert time.monotonic() - begin < 30


def test_what_to_do_about_a_damaged_index_is_said_in_french() -> None:
    for what in (REBUILD, REEMBED):
        french = translated(f"the index in '/srv/qa' cannot be read (malformed): {what}")
        assert french is not None
        assert "qa index --re" in french
        assert "the " not in french
