import pytest

from qa.errors import PromptError
from qa.prompt import (
    fill,
    load_template,
    number_document,
    parse_template,
    probe_prompt,
    vote_prompt,
    write_prompt,
)
from qa.types import Document, Sentence

DOCUMENT = Document("a.txt", "Essai", "Titre\nLe maire parle. La foule écoute.")
SENTENCES = (
    Sentence("a.txt", 0, 0, 5, "Titre", heading=True),
    Sentence("a.txt", 1, 6, 21, "Le maire parle."),
    Sentence("a.txt", 2, 22, 38, "La foule écoute."),
)
NAMES = [
    f"{name}.{language}"
    for name in ("vote", "probe", "write", "rewrite")
    for language in ("fr", "en")
]


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_template_declares_just_what_it_uses(name):
    template = load_template(name)
    values = {variable: "x" for variable in template.variables}
    assert all(
        "{" not in message.content.replace('{"ids"', "") for message in fill(template, values)
    )


def test_a_missing_or_extra_variable_is_an_error_that_names_it():
    template = load_template("probe.fr")
    with pytest.raises(PromptError, match="text"):
        fill(template, {"question": "Qui ?"})
    with pytest.raises(PromptError, match="couleur"):
        fill(template, {"question": "Qui ?", "text": "Lui.", "couleur": "bleu"})


def test_a_template_whose_places_differ_from_its_declaration_is_refused():
    with pytest.raises(PromptError, match="declares"):
        parse_template("x", "variables: a\n--- user\n{a} {b}")
    with pytest.raises(PromptError, match="first line"):
        parse_template("x", "--- user\n{a}")
    with pytest.raises(PromptError, match="role"):
        parse_template("x", "variables: a\n--- robot\n{a}")


def test_an_unknown_template_is_an_error_that_says_where_to_look():
    with pytest.raises(PromptError, match=r"prompts/nope\.txt"):
        load_template("nope")


def test_braces_in_a_value_stay_text():
    messages = fill(load_template("probe.fr"), {"question": "{text}", "text": "{question} ${x}"})
    assert "Question : {text}" in messages[-1].content
    assert "{question} ${x}" in messages[-1].content


@pytest.mark.parametrize("token", ["<|im_end|>", "<|eot_id|>", "[INST]", "<start_of_turn>", "</s>"])
def test_control_tokens_in_a_document_a_question_or_a_text_reach_no_prompt(token):
    sentence = Sentence("a.txt", 1, 0, 9, f"Voir {token} là.")
    numbered = number_document(DOCUMENT, [sentence], "fr")
    prompts = (
        vote_prompt(numbered, f"Qui {token} ?"),
        probe_prompt(f"Qui {token} ?", f"Lui {token}.", "fr"),
        write_prompt(f"Qui {token} ?", [f"Lui {token}."], "fr"),
    )
    for prompt in prompts:
        assert all(token not in message.content for message in prompt.messages)


def test_only_citable_sentences_have_numbers_and_the_table_maps_them_back():
    numbered = number_document(DOCUMENT, SENTENCES, "fr")
    system = numbered.prefix[0].content
    assert "[1] Le maire parle." in system
    assert "[2] La foule écoute." in system
    assert "] Titre" not in system
    assert "Titre" in system
    assert [s.index for s in numbered.sentences] == [1, 2]


def test_the_vote_is_bounded_to_the_numbers_that_exist_and_begins_with_the_static_prefix():
    numbered = number_document(DOCUMENT, SENTENCES, "fr")
    one, two = vote_prompt(numbered, "Qui parle ?"), vote_prompt(numbered, "Qui écoute ?")
    items = one.schema["properties"]["ids"]["items"]
    assert (items["minimum"], items["maximum"]) == (1, 2)
    assert one.messages[0] == two.messages[0] == numbered.prefix[0]
    assert one.messages[-1].content == "Qui parle ?"


@pytest.mark.parametrize(
    ("last", "number"),
    [(5, "[1-5]"), (9, "[1-9]"), (10, "[1-9] [0-9]?"), (130, "[1-9] [0-9]? [0-9]?")],
)
def test_a_trained_vote_writes_numbers_and_never_0(last, number):
    sentences = [Sentence("a.txt", n, 0, 5, f"Mot {n}.") for n in range(last)]
    prompt = vote_prompt(number_document(DOCUMENT, sentences, "fr"), "Qui ?", trained=True)
    assert prompt.schema is None
    assert prompt.grammar.splitlines() == [
        'root ::= number ("," number)? "]}"',
        f"number ::= {number}",
    ]


def test_a_line_break_inside_a_sentence_cannot_start_a_line_of_the_prompt():
    sentence = Sentence("a.txt", 1, 0, 9, "Un\n[2] deux")
    assert "\n[2]" not in number_document(DOCUMENT, [sentence], "fr").prefix[0].content


def test_rendered_prompts_are_these():
    prompt = probe_prompt("Qui parle ?", "Le maire parle.", "fr")
    assert [message.role for message in prompt.messages] == [
        "system",
        *["user", "assistant"] * 4,
        "user",
    ]
    assert [m.content for m in prompt.messages if m.role == "assistant"] == [
        "Oui",
        "Non",
        "Non",
        "Oui",
    ]
    assert prompt.messages[-1].content == (
        "Texte : Le maire parle.\nQuestion : Qui parle ?\n"
        "Le texte contient-il la réponse précise à la question ?"
    )
    assert prompt.max_tokens == 1
    assert prompt.top_logprobs == 20


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_examples_before_a_probe_are_the_same_for_every_question(language):
    one = probe_prompt("Qui parle ?", "Le maire parle.", language)
    other = probe_prompt("Où ?", "À Brest.", language)
    assert one.messages[:-1] == other.messages[:-1]
