"""Conversations as Markdown, JSON and text to paste: whole, and without any markup of others."""

from __future__ import annotations

import json

import pytest
from markdown_it import MarkdownIt

from qa.types import Answer, Citation, Statement
from qa.ui.exchange import Exchange, advance, stop
from qa.ui.export import as_json, file_name, footnoted, markdown

RAIN = Citation("temps.txt", "temps", 3, 0, 9, "Il pleut.", 0.9)
WIND = Citation("temps.txt", "temps", None, 10, 19, "Il vente.", 0.5)
STATEMENTS = (
    Statement("Il pleut.", (RAIN,), "supported"),
    Statement("Il vente et pleut.", (WIND, RAIN), "partly"),
)


def answer(**fields: object) -> Answer:
    plain: dict[str, object] = {
        "text": "Il pleut. Il vente et pleut.",
        "answered": True,
        "confidence": 0.9,
        "statements": STATEMENTS,
        "citations": (RAIN, WIND),
        "nearest": (),
        "question": "Quel temps ?",
        "backend": "scripted",
    }
    return Answer(**{**plain, **fields})  # type: ignore[arg-type]


def exchange(**fields: object) -> Exchange:
    return advance(Exchange("Quel temps ?"), answer(**fields))


def test_an_answer_is_pasted_with_its_footnotes() -> None:
    assert footnoted(exchange()) == (
        "Il pleut. [1] Il vente et pleut. [2] [1]\n\n"
        "[1] temps, p. 3 : « Il pleut. »\n"
        "[2] temps : « Il vente. »"
    )


def test_an_abstention_is_pasted_with_the_nearest_sentences() -> None:
    text = footnoted(exchange(text="Rien.", answered=False, statements=(), nearest=(WIND,)))
    assert text == "Rien.\n\n- « Il vente. »"


def test_a_partial_answer_says_that_it_is_partial() -> None:
    partial = stop(Exchange("Q ?", state="writing", draft="Il neige à", statements=STATEMENTS[:1]))
    assert footnoted(partial).startswith("Il pleut. [1] Il neige à […]\n\n[1] temps")
    assert json.loads(as_json("n", [partial]))["exchanges"][0]["partial"] == footnoted(partial)


@pytest.mark.parametrize(
    ("language", "called"),
    [
        ("fr", "> Texte inachevé et non vérifié : Il va pleu \\[…\\]"),
        ("en", "> Unfinished text, not checked: Il va pleu \\[…\\]"),
    ],
)
def test_what_a_model_left_unfinished_is_exported_and_called_so(language: str, called: str) -> None:
    left = exchange(unfinished="Il va\npleu")
    whole = markdown("Le temps", [exchange()], language)
    assert markdown("Le temps", [left], language) == whole.replace(
        "Il pleut. [^1-1]", f"{called}\n\nIl pleut. [^1-1]"
    )
    (record,) = json.loads(as_json("Le temps", [left]))["exchanges"]
    assert record["answer"]["unfinished"] == "Il va\npleu"


def test_what_a_model_left_unfinished_is_not_copied_as_the_answer() -> None:
    assert footnoted(exchange(unfinished="Il va pleu")) == footnoted(exchange())


def test_markdown_has_every_question_and_citation() -> None:
    text = markdown("Le temps", [exchange(), exchange()], "fr")
    assert text.startswith("# Le temps\n\n## Quel temps ?\n\nIl pleut. [^1-1] Il vente")
    assert "[^1-2]: temps, 10–19 : « Il vente. »" in text
    assert "[^2-1]: temps, p. 3, 0–9 : « Il pleut. »" in text


HOSTILE = (
    "![x](http://example.org/x.png)",
    "[lien](http://example.org)",
    "<img src=http://example.org/x.png>",
    "http://example.org www.example.org",
    "# titre",
    "1. liste",
    "- liste",
    "| a | b |",
    "`code` *gras* _souligné_ ~~barré~~ $x$ &lt;",
    "un\n\n    code\n\n# titre",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_makes_nothing_of_what_others_wrote(text: str) -> None:
    cited = Citation("d", text, None, 0, len(text), text, 1.0)
    said = (Statement(text, (cited,), "supported"),)
    hostile = exchange(text=text, statements=said, unfinished=text)
    abstaining = exchange(text=text, answered=False, statements=(), nearest=(cited,))
    written = markdown(text, [hostile, abstaining], "fr")
    tokens = MarkdownIt("commonmark").enable("table").parse(written)
    inline = [child for token in tokens for child in token.children or ()]
    assert {token.type for token in inline} == {"text"} | (
        {"text_special"} & {token.type for token in inline}
    )
    assert {token.tag for token in tokens if token.tag} <= {
        "h1",
        "h2",
        "p",
        "ul",
        "li",
        "blockquote",
    }
    shown = "".join(token.content for token in inline)
    assert " ".join(text.split()) in shown
    assert "http://" not in written
    assert "www.e" not in written


def test_a_reading_direction_does_not_leave_the_page() -> None:
    text = "\u202egnp.exe"
    cited = Citation("d", text, None, 0, len(text), text, 1.0)
    said = (Statement(text, (cited,), "supported"),)
    one = exchange(text=text, statements=said, unfinished=text)
    for written in (footnoted(one), markdown(text, [one], "fr")):
        assert "\u202e" not in written


def test_json_has_the_whole_answer() -> None:
    record = json.loads(as_json("Le temps", [exchange()]))
    assert record["name"] == "Le temps"
    (one,) = record["exchanges"]
    assert one["answer"]["statements"][1]["citations"][0] == {
        "document": "temps.txt",
        "title": "temps",
        "page": None,
        "start": 10,
        "end": 19,
        "text": "Il vente.",
        "score": 0.5,
    }


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Quel temps ?", "Quel-temps.md"),
        ("../../etc/passwd", "etc-passwd.md"),
        ("?!", "conversation.md"),
        ("é" * 300, "é" * 60 + ".md"),
    ],
)
def test_a_file_is_named_after_its_conversation(name: str, file: str) -> None:
    assert file_name(name, ".md") == file
