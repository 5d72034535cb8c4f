"""The voter's training sheets, their packing, and adapters that are applied after a beginning."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qa.errors import InputError
from qa.llm.adapters import INVOCATION
from qa.sentences import split_text
from qa.types import Sentence
from qa_eval.adapters.pack import visible
from qa_eval.voter.pack import invocation, pack
from qa_eval.voter.sheets import (
    Passage,
    answering,
    document_sheets,
    load_documents,
    load_passages,
    squad_sheets,
    written_sheets,
)
from tiny_qwen import encode, tiny

torch = pytest.importorskip("torch")
EVAL = Path(__file__).parents[1] / "eval"


def passage(genre, text, *asked):
    pieces = [text[start:end] for start, end in split_text(text)]
    sentences = tuple(Sentence("p", n, 0, 0, piece) for n, piece in enumerate(pieces))
    return Passage("fr", genre, sentences, asked)


PASSAGES = [
    passage("bail", "Le loyer est de 640 €. Il est dû le 5.", ("Quel loyer ?", (0,))),
    passage("sport", "Brest a gagné. Il pleuvait.", ("Qui a gagné ?", (0,)), ("Quand ?", ())),
    passage("recette", "Ajoutez deux œufs.", ("Combien d’œufs ?", (0,))),
]


def test_a_written_sheet_numbers_its_sentences_throughout():
    (sheet,) = written_sheets(PASSAGES, random.Random(0))
    assert len(sheet.numbered.sentences) == 5
    said = {
        question: [sheet.numbered.sentences[number - 1].text for number in numbers]
        for question, numbers in sheet.asked
    }
    assert said["Quel loyer ?"] == ["Le loyer est de 640 €."]
    assert said["Combien d’œufs ?"] == ["Ajoutez deux œufs."]
    assert said["Quand ?"] == []
    (head,) = sheet.numbered.prefix
    assert all(f"[{number}] " in head.content for number in range(1, 6))


def test_the_packaged_passages_make_sheets_of_many_passages_and_both_kinds_of_questions():
    passages = load_passages(EVAL / "train")
    sheets = written_sheets(passages, random.Random(1))
    asked = [numbers for sheet in sheets for _, numbers in sheet.asked]
    assert len(asked) > 1000
    assert 0.3 < sum(not numbers for numbers in asked) / len(asked) < 0.45
    for sheet in sheets:
        assert len(sheet.numbered.sentences) >= 3
        for _, numbers in sheet.asked:
            assert all(1 <= number <= len(sheet.numbered.sentences) for number in numbers)


def test_passages_of_one_genre_never_share_a_sheet():
    twice = [*PASSAGES, *(replace(one, language="en") for one in PASSAGES), PASSAGES[0]]
    for sheet in written_sheets(twice, random.Random(2)):
        texts = [sentence.text for sentence in sheet.numbered.sentences]
        assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    ("question", "answer", "places"),
    [
        ("Quel est le loyer ?", "640 €.", (0,)),
        ("Quand le loyer est-il dû ?", "Le 5 du mois.", (1,)),
        ("Quel loyer est dû, et quand ?", "640 €, le 5 du mois.", (0, 1)),
        ("Qui est le bailleur ?", "Odile Perrin.", (2,)),
    ],
)
def test_the_sentences_that_hold_an_answers_words_answer(question, answer, places):
    texts = [
        "Le loyer est de 640 €.",
        "Il est dû le 5 du mois.",
        "Odile Perrin est la bailleresse.",
    ]
    sentences = [Sentence("p", n, 0, 0, text) for n, text in enumerate(texts)]
    assert answering(sentences, question, answer) == places


def test_a_question_whose_paragraph_is_left_out_has_no_sentence(tmp_path):
    paragraphs = []
    for number in range(30):
        context = f"Le pont {number} date de {1700 + number}. Il mesure {300 + number} mètres."
        answer = {"text": str(1700 + number), "answer_start": context.index(str(1700 + number))}
        question = f"De quand date le pont {number} ?"
        qas = [{"id": str(number), "question": question, "answers": [answer]}]
        paragraphs.append({"context": context, "qas": qas})
    articles = [{"title": "ponts", "paragraphs": paragraphs}]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "1.1", "data": articles}))
    sheets = squad_sheets(path, 0, random.Random(0))
    answered = refused = 0
    for sheet in sheets:
        for question, numbers in sheet.asked:
            pont = question.split()[-2]
            text = " ".join(sentence.text for sentence in sheet.numbered.sentences)
            if numbers:
                (number,) = numbers
                assert f"Le pont {pont} date" in sheet.numbered.sentences[number - 1].text
                answered += 1
            else:
                assert str(1700 + int(pont)) not in text
                refused += 1
    assert answered >= 3 <= refused
    assert not squad_sheets(path, 1, random.Random(0))  # held out


def test_a_packed_sheet_ends_in_numbers_and_its_questions_begin_with_the_invocation():
    (sheet,) = written_sheets(PASSAGES, random.Random(0))
    packed = pack(sheet, encode)
    wanted = bytes(packed.wanted.tolist()).decode()
    assert wanted == "".join(
        f"{','.join(map(str, numbers)) or '0'}]}}" for _, numbers in sheet.asked
    )
    called = bytes(invocation(encode)).decode()
    whole = bytes(packed.ids.tolist()).decode()
    assert whole.count(called) == len(sheet.asked)
    firsts = np.flatnonzero(packed.branches > 0)[:1]
    assert whole.encode()[firsts[0] :].decode().startswith(called)


def test_adapters_that_are_applied_from_the_question_on_leave_the_document_as_it_is():
    from qa_eval.adapters.lora import Shape, attach
    from qa_eval.adapters.train import logits

    (sheet,) = written_sheets(PASSAGES, random.Random(0))
    packed = pack(sheet, encode)
    model = tiny()
    shared = int((packed.branches == 0).sum())
    ids = torch.from_numpy(packed.ids)[None]
    with torch.no_grad():
        plain = model.model(input_ids=ids[:, :shared], use_cache=True).past_key_values
    adapters = attach(model, Shape(rank=2, alpha=4, first_layer=0))
    for one in adapters.values():
        one.b.data.normal_()
    seen = torch.from_numpy(visible([packed]))[shared:]
    with torch.no_grad():
        expected = model(
            input_ids=ids[:, shared:],
            position_ids=torch.from_numpy(packed.positions)[None, shared:],
            attention_mask=torch.zeros(seen.shape).masked_fill(~seen, -1e9)[None, None],
            past_key_values=plain,
        ).logits[0, torch.from_numpy(packed.at - shared)]
    outside = tuple(adapters.values())
    said = logits(model, packed, packed.at, outside)
    assert torch.allclose(said, expected, atol=1e-4)
    assert not torch.allclose(said, logits(model, packed, packed.at), atol=1e-2)
    said.sum().backward()
    assert all(one.a.grad is not None for one in outside)
    assert all(one.applied for one in outside)


def test_the_voters_file_says_from_which_tokens_on_it_is_applied(tmp_path):
    gguf = pytest.importorskip("gguf")
    from qa_eval.adapters.lora import Shape, attach, write_gguf

    shape = Shape(rank=2, alpha=4, first_layer=1)
    path = tmp_path / "voter.gguf"
    write_gguf(attach(tiny(), shape), shape, path, base="b", about="a", invocation=[5, 6, 7])
    field = gguf.GGUFReader(path).fields[INVOCATION]
    assert field.contents() == [5, 6, 7]
    assert field.types == [gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.UINT32]


DOCUMENT = {
    "lang": "fr",
    "genre": "avis",
    "sentences": [f"Le guichet {n} ouvre à {n} h." for n in range(1, 15)],
    "headings": {"0": "Horaires", "7": "Après-midi"},
    "qa": [[f"Quand ouvre le guichet {n} ?", [n], "date"] for n in range(1, 13)]
    + [["Quels guichets ouvrent après 12 h ?", [14, 13], "several"]]
    + [[f"Qui tient le guichet {n} ?", [], "near-miss"] for n in range(1, 6)],
}


def test_a_question_whose_sentence_is_left_out_of_a_document_has_none(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(DOCUMENT) + "\n")
    documents = load_documents(tmp_path)
    assert [len(document.asked) for document in documents] == [18]
    lost = kept = 0
    for sheet in document_sheets(documents * 20, random.Random(0)):
        texts = [sentence.text for sentence in sheet.numbered.sentences]
        assert "Après-midi" in sheet.numbered.prefix[0].content
        for question, numbers in sheet.asked:
            if question.startswith("Quand"):
                wanted = f"Le guichet {question.split()[-2]} ouvre"
                said = [texts[number - 1] for number in numbers]
                assert all(text.startswith(wanted) for text in said)
                assert bool(numbers) == any(text.startswith(wanted) for text in texts)
                lost += not numbers
                kept += bool(numbers)
            elif question.startswith("Quels"):
                assert [texts[n - 1].split()[2] for n in numbers] == ["13", "14"]
            else:
                assert not numbers
    assert 0.05 < lost / (lost + kept) < 0.2


def test_a_fault_in_a_document_is_named(tmp_path):
    wrong = {**DOCUMENT, "qa": [["Quand ?", [15], "date"]]}
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(DOCUMENT)}\n{json.dumps(wrong)}\n")
    with pytest.raises(InputError, match=r"a\.jsonl, line 2.*no sentence 15, of 14"):
        load_documents(tmp_path)
