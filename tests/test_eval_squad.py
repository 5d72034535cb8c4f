"""SQuAD files become documents and questions; near-misses are made only where they are some."""

import json
import unicodedata
from pathlib import Path

import pytest

from qa.errors import InputError
from qa_eval.data import Item
from qa_eval.squad import is_squad, load_squad
from test_eval_data import GOOD, ROOT, write_lines

PIAF = ROOT.parent / "shared" / "data" / "piaf-dev.json"
# The first paragraph is decomposed (e + accent): offsets in the file count its code points.
DECOMPOSED = unicodedata.normalize("NFD", "Le café est fermé. Le thé coûte 3 €.")
OTHER = "La terrasse ouvre en mai. Elle a douze tables. Mme Roy la dirige."


def squad_file(folder: Path, **changes: object) -> Path:
    price = {"text": "3 €", "answer_start": DECOMPOSED.index("3 €")}
    across = {"text": "douze tables. Mme Roy", "answer_start": OTHER.index("douze")}
    questions = [
        {"id": "a", "question": "Prix du thé ?", "answers": [price, price]},
        {"id": "b", "question": "Qui dirige ?", "answers": [across], "is_impossible": False},
        {"id": "c", "question": "Quel jour ?", "answers": [], "is_impossible": True},
    ]
    questions[0] |= changes
    paragraphs = [
        {"context": DECOMPOSED, "qas": questions[:1]},
        {"context": OTHER, "qas": questions[1:]},
    ]
    path = folder / "squad.json"
    content = {"version": "2.0", "data": [{"title": "Le bar", "paragraphs": paragraphs}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def gold_texts(documents: dict[str, str], item: Item) -> list[list[str]]:
    text = documents[item.document]
    return [[text[start:end] for start, end in spans] for spans in item.evidence]


def test_squad_article_is_one_document_and_gold_is_the_sentence_of_the_answer(
    tmp_path: Path,
) -> None:
    documents, (price, across, impossible) = load_squad(squad_file(tmp_path))
    assert documents == {"Le bar": "Le café est fermé. Le thé coûte 3 €.\n\n" + OTHER}
    assert gold_texts(documents, price) == [["Le thé coûte 3 €."]]
    assert price.answers == ("3 €",)
    assert gold_texts(documents, across) == [["Elle a douze tables.", "Mme Roy la dirige."]]
    assert (impossible.kind, impossible.evidence) == ("unanswerable:near-miss", ())


def test_near_misses_are_asked_on_the_article_without_the_gold_paragraph(tmp_path: Path) -> None:
    path = squad_file(tmp_path)
    documents, items = load_squad(path, near_miss_share=1.0, seed=3)
    price = items[0]
    assert price.kind == "unanswerable:near-miss"
    assert (price.answers, price.evidence) == ((), ())
    assert documents[price.document] == OTHER
    assert (documents, items) == load_squad(path, near_miss_share=1.0, seed=3)


def test_a_question_whose_answer_also_stands_elsewhere_stays_answerable(tmp_path: Path) -> None:
    tea = {"text": "est", "answer_start": DECOMPOSED.index("est")}
    path = squad_file(tmp_path, answers=[tea])
    content = json.loads(path.read_text())
    content["data"][0]["paragraphs"][1]["context"] += " Elle est grande."
    path.write_text(json.dumps(content))
    _, items = load_squad(path, near_miss_share=1.0)
    assert items[0].kind == "answerable"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"answers": [{"text": "3 €", "answer_start": 1}]}, "wrong offset 1"),
        ({"answers": [{"text": "3 €"}]}, "data.0.paragraphs.0.qas.0.answers.0.answer_start"),
        ({"answers": []}, "data.0.paragraphs.0.qas.0"),
        (
            {"answers": [{"text": " ", "answer_start": 2}]},
            "field 'data.0.paragraphs.0.qas.0.answers.0.text'",
        ),
        (
            {"question": " ?"},
            "field 'data.0.paragraphs.0.qas.0.question': the question '?' has no word",
        ),
        (
            {"question": "q" * 4001},
            "field 'data.0.paragraphs.0.qas.0.question': the question has 4001 characters",
        ),
        ({"id": "b"}, "'b' is used twice"),
        ({"question": "\ud800 ?"}, "field 'data.0.paragraphs.0.qas.0.question'"),
    ],
)
def test_squad_faults_name_file_and_field(
    tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    path = squad_file(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        load_squad(path)
    assert str(path) in str(caught.value)
    assert named in str(caught.value)


def test_squad_is_told_from_json_lines_by_its_content(tmp_path: Path) -> None:
    assert is_squad(squad_file(tmp_path))
    assert not is_squad(write_lines(tmp_path, GOOD))
    assert not is_squad(write_lines(tmp_path, GOOD, GOOD))


def test_a_broken_squad_file_is_squad_whose_fault_is_named(tmp_path: Path) -> None:
    path = squad_file(tmp_path)
    pretty = json.dumps(json.loads(path.read_text()), indent=1)
    path.write_text(pretty.replace('"title":', '"title"'))
    assert is_squad(path)
    with pytest.raises(InputError, match="line 5: invalid JSON at column 12"):
        load_squad(path)


def test_half_a_character_in_a_context_is_named(tmp_path: Path) -> None:
    path = squad_file(tmp_path)
    path.write_text(path.read_text().replace("La terrasse", "La \\ud800"))
    with pytest.raises(InputError, match=r"field 'data\.0\.paragraphs\.1\.context'"):
        load_squad(path)


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 100_000])
def test_json_that_python_gives_up_on_is_squad_by_its_name(tmp_path: Path, value: str) -> None:
    path = tmp_path / "squad.json"
    path.write_text(f'{{"data": {value}')
    assert is_squad(path)
    with pytest.raises(InputError, match=r"squad\.json: JSON nested too deep, or a number"):
        load_squad(path)
    assert not is_squad(path.rename(tmp_path / "set.jsonl"))


def test_json_lines_are_json_lines_under_any_name(tmp_path: Path) -> None:
    lines = write_lines(tmp_path, GOOD, '{"id": "four-2",')
    assert not is_squad(lines.rename(tmp_path / "set.json"))
    assert not is_squad(write_lines(tmp_path, '{"id": "four-2",'))


@pytest.mark.skipif(not PIAF.exists(), reason="the PIAF set is not distributed with the project")
def test_every_piaf_answer_lies_in_its_gold_sentences() -> None:
    documents, items = load_squad(PIAF)
    assert (len(documents), len(items)) == (240, 4059)
    for item in items:
        golds = [" ".join(texts) for texts in gold_texts(documents, item)]
        assert golds, item.id
        assert any(answer.strip() in gold for answer in item.answers for gold in golds), item.id
