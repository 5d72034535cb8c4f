"""The held-out sets hold what they promise; faulty sets are refused by file, line and field."""

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from qa.errors import InputError
from qa.sentences import split_sentences
from qa.types import Document
from qa.words import language
from qa_eval.data import Item, load_items

ROOT = Path(__file__).parent.parent
FIRST = "irak-coalition.txt"
# Answers that are worked out (a sum) or put in the other language ("1.5 kg" for "1,5 kg").
COMPUTED = {"contrat-002", "emails-012", "lavelinge-017"}
TEXT = "Le four chauffe vite. La porte ferme mal. Le prix est de 40 €."


def read_texts() -> dict[str, str]:
    paths = [ROOT / "index" / "documents" / FIRST, *(ROOT / "eval" / "documents").iterdir()]
    return {path.name: path.read_bytes().decode() for path in paths}


TEXTS = read_texts()
DEV = load_items(ROOT / "eval" / "dev.jsonl", TEXTS)
CALIBRATION = load_items(ROOT / "eval" / "calibration.jsonl", TEXTS)
TEST = load_items(ROOT / "eval" / "test.jsonl", TEXTS)
SPLITS = {"dev": DEV, "calibration": CALIBRATION, "test": TEST}
EVERY = DEV + CALIBRATION + TEST


# --- the held-out sets -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_eval_documents_are_canonical_and_of_the_promised_length(name: str) -> None:
    text = TEXTS[name]
    assert text == unicodedata.normalize("NFC", text)
    assert "\r" not in text
    assert text[0].strip()
    assert 300 <= len(text.split()) <= 1500


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_gold_span_is_exactly_one_citable_sentence(name: str) -> None:
    sentences = split_sentences(Document(name, name, TEXTS[name]))
    citable = {(sentence.start, sentence.end) for sentence in sentences if not sentence.heading}
    asked = [item for item in EVERY if item.document == name]
    wrong = {
        (item.id, TEXTS[name][span[0] : span[1]])
        for item in asked
        for spans in item.evidence
        for span in spans
        if span not in citable
    }
    assert len(asked) >= 20
    assert not wrong


def test_the_further_off_topic_requests_are_put_to_calibration_documents() -> None:
    further = load_items(ROOT / "eval" / "off-topic.jsonl", TEXTS)
    assert len(further) == 120
    assert {item.kind for item in further} == {"unanswerable:off-topic"}
    assert {item.document for item in further} == {item.document for item in CALIBRATION}
    assert {item.tags for item in further} == {
        (sort,) for sort in ("knowledge", "how-to", "command", "talk")
    }
    assert not {item.question for item in further} & {item.question for item in EVERY}


TYPED = {
    "answerable": 9,
    "followup": 1,
    "unanswerable:near-miss": 3,
    "unanswerable:false-premise": 1,
    "unanswerable:off-topic": 1,
}
FORMS = TYPED | {"unanswerable:near-miss": 2, "unanswerable:false-premise": 2, "overview": 1}


@pytest.mark.parametrize(
    ("folder", "documents", "kinds"), [("typed", 8, TYPED), ("forms", 10, FORMS)]
)
def test_further_questions_have_their_sentences_in_documents_of_their_own(
    folder: str, documents: int, kinds: dict[str, int]
) -> None:
    place = ROOT / "eval" / folder
    texts = {path.name: path.read_text("utf-8") for path in (place / "documents").iterdir()}
    items = load_items(place / "questions.jsonl", texts)
    assert len(texts) == documents
    assert not texts.keys() & TEXTS.keys()
    assert not {item.question for item in items} & {item.question for item in EVERY}
    for name, text in texts.items():
        sentences = split_sentences(Document(name, name, text))
        citable = {(one.start, one.end) for one in sentences if not one.heading}
        asked = [item for item in items if item.document == name]
        assert {span for item in asked for gold in item.evidence for span in gold} <= citable
        assert Counter(item.kind for item in asked) == kinds


def test_the_further_follow_ups_have_their_sentences_and_a_question_before() -> None:
    typed = ROOT / "eval" / "typed"
    theirs = {path.name: path.read_text("utf-8") for path in (typed / "documents").iterdir()}
    further = load_items(ROOT / "eval" / "followups.jsonl", TEXTS)
    further += load_items(typed / "followups.jsonl", theirs)
    texts = TEXTS | theirs
    citable = {
        (name, one.start, one.end)
        for name in {item.document for item in further}
        for one in split_sentences(Document(name, name, texts[name]))
        if not one.heading
    }
    gold = {(item.document, *span) for item in further for one in item.evidence for span in one}
    assert gold <= citable
    assert all(item.history for item in further)
    assert Counter(item.tags[0] for item in further) == {
        "lean": 34,
        "answer": 17,
        "near-miss": 17,
        "subject": 17,
        "crossed": 44,
    }
    assert not {item.document for item in further} & {item.document for item in TEST}


def test_gold_sets_are_ordered_and_distinct() -> None:
    for item in EVERY:
        assert len(set(item.evidence)) == len(item.evidence), item.id
        for spans in item.evidence:
            assert list(spans) == sorted(set(spans)), item.id


def test_no_gold_set_of_several_sentences_contains_another() -> None:
    """Where one sentence is enough, one that names the speaker may be added to it."""
    nested = [
        item.id
        for item in EVERY
        if "multi" in item.tags
        and any(set(a) < set(b) for a in item.evidence for b in item.evidence)
    ]
    assert not nested


def test_no_document_is_in_two_splits() -> None:
    asked = [{item.document for item in split} for split in SPLITS.values()]
    assert sum(map(len, asked)) == len(set().union(*asked))
    assert set().union(*asked) == set(TEXTS)
    assert FIRST in asked[0]


def test_ids_and_questions_are_unique_over_all_splits() -> None:
    assert len({item.id for item in EVERY}) == len(EVERY)
    asked = Counter((item.document, item.question, item.history) for item in EVERY)
    assert [key for key, count in asked.items() if count > 1] == []


def test_sizes_are_as_promised() -> None:
    assert sum(item.document == FIRST for item in DEV) >= 60
    assert len(TEXTS) >= 13
    assert len(TEST) >= 200


@pytest.mark.parametrize("name", SPLITS)
def test_a_third_is_unanswerable_half_of_it_near_misses(name: str) -> None:
    """In the split for calibration as many are false premises, and somewhat more in all."""
    items = SPLITS[name]
    kinds = Counter(item.kind for item in items)
    refused = [item for item in items if item.unanswerable]
    hard = name == "calibration"
    assert len(refused) / len(items) == pytest.approx(0.385 if hard else 1 / 3, abs=0.02)
    shares = (0.42, 0.42, 0.16) if hard else (0.5, 0.25, 0.25)
    for kind, share in zip(("near-miss", "false-premise", "off-topic"), shares, strict=True):
        assert kinds[f"unanswerable:{kind}"] / len(refused) == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("items", SPLITS.values(), ids=SPLITS)
def test_every_kind_and_tag_is_present(items: tuple[Item, ...]) -> None:
    assert {item.kind for item in items} >= {"answerable", "followup", "overview"}
    tags = Counter(tag for item in items for tag in item.tags)
    assert set(tags) == {
        *("single", "multi", "number", "date", "negation"),
        *("attribution", "paraphrase", "crosslingual"),
    }
    assert min(tags.values()) >= 5


@pytest.mark.parametrize("items", SPLITS.values(), ids=SPLITS)
def test_both_languages_are_asked_about_texts_in_the_other(items: tuple[Item, ...]) -> None:
    crossing = [item for item in items if "crosslingual" in item.tags]
    told = [(language(item.question), language(TEXTS[item.document])) for item in crossing]
    assert set(told) == {("en", "fr"), ("fr", "en")}


def test_multi_means_that_every_gold_set_has_several_sentences() -> None:
    for item in EVERY:
        if item.has_gold:
            several = all(len(spans) > 1 for spans in item.evidence)
            assert ("multi" in item.tags) == several, item.id
            assert ("single" in item.tags) != several, item.id


def number_tokens(text: str) -> set[str]:
    joined = re.sub(r"(?<=\d)[ \u00a0\u202f](?=\d{3}\b)", "", text)
    return {number.removesuffix(",00") for number in re.findall(r"\d+(?:[.,]\d+)?", joined)}


def test_every_number_of_an_answer_stands_in_its_evidence() -> None:
    for item in EVERY:
        text = TEXTS[item.document]
        sources = [" ".join(text[start:end] for start, end in spans) for spans in item.evidence]
        if sources and item.id not in COMPUTED:
            numbers = number_tokens(item.answers[0])
            assert any(numbers <= number_tokens(source) for source in sources), item.id


def test_the_readme_counts_every_split_and_kind() -> None:
    readme = (ROOT / "eval" / "README.md").read_text(encoding="utf-8")
    kinds = [Counter(item.kind for item in split) for split in (*SPLITS.values(), EVERY)]
    for kind in kinds[-1]:
        assert f"| {kind} | {' | '.join(str(split[kind]) for split in kinds)} |" in readme
    tags = [Counter(tag for item in split for tag in item.tags) for split in SPLITS.values()]
    for tag in tags[0]:
        assert f"| {tag} | {' | '.join(str(split[tag]) for split in tags)} |" in readme
    assert (
        f"| all | {' | '.join(str(len(split)) for split in (*SPLITS.values(), EVERY))} |" in readme
    )


# --- reading JSON Lines ------------------------------------------------------------------------

GOOD = {
    "id": "four-1",
    "document": "four.txt",
    "question": "Quel est le prix ?",
    "kind": "answerable",
    "answers": ["40 €"],
    "evidence": [[{"start": 42, "end": 62}]],
}


def write_lines(folder: Path, *records: object) -> Path:
    path = folder / "set.jsonl"
    lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def fault(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_items(path, {"four.txt": TEXT})
    return str(caught.value)


def test_a_line_becomes_an_item_with_its_gold_sentence(tmp_path: Path) -> None:
    turns = [{"question": "Et le four ?", "answer": "Il chauffe."}]
    path = write_lines(tmp_path, "", GOOD | {"history": turns, "tags": ["number"]}, "")
    (item,) = load_items(path, {"four.txt": TEXT})
    ((start, end),) = item.evidence[0]
    assert TEXT[start:end] == "Le prix est de 40 €."
    assert (item.answers, item.tags) == (("40 €",), ("number",))
    assert item.history[0].answer == "Il chauffe."


def test_the_document_may_be_left_out_when_one_is_given(tmp_path: Path) -> None:
    record = {key: value for key, value in GOOD.items() if key != "document"}
    path = write_lines(tmp_path, record)
    assert load_items(path, {"four.txt": TEXT}, document="four.txt")[0].document == "four.txt"
    assert "line 1, field 'document'" in fault(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "unanswerable"}, "field 'kind'"),
        ({"question": 3}, "field 'question'"),
        ({"question": ""}, "field 'question': the question is empty"),
        ({"question": " ?! "}, "field 'question': the question '?!' has no word"),
        (
            {"question": "prix " * 1000},
            "field 'question': the question has 4999 characters; at most 4000",
        ),
        ({"answers": ["40 €", ""]}, "field 'answers.1'"),
        ({"answers": [" \n"]}, "field 'answers.0'"),
        ({"id": ""}, "field 'id'"),
        ({"document": "autre.txt"}, "field 'document': 'autre.txt'"),
        ({"evidence": [[{"start": 42, "end": 900}]]}, "field 'evidence.0.0': offsets 42-900"),
        ({"evidence": [[{"start": 62, "end": 42}]]}, "field 'evidence.0.0': offsets 62-42"),
        ({"evidence": [[{"start": -1, "end": 42}]]}, "field 'evidence.0.0.start'"),
        ({"evidence": [[{"start": 43, "end": 62}]]}, "field 'evidence.0.0': wrong offset"),
        ({"evidence": [[{"start": 41, "end": 62}]]}, "field 'evidence.0.0': wrong offset"),
        ({"evidence": [[]]}, "field 'evidence.0'"),
        ({"evidence": []}, "field 'evidence'"),
        ({"answers": []}, "field 'answers'"),
        ({"kind": "overview"}, "field 'answers'"),
        ({"kind": "followup"}, "field 'history'"),
        ({"anwsers": []}, "field 'anwsers'"),
        ({"question": "Prix \ud800 ?"}, "field 'question'"),
        ({"answers": ["\ud800"]}, "field 'answers.0'"),
        ({"history": [{"question": "\ud800", "answer": ""}]}, "field 'history.0.question'"),
        ({"tags": ["\ud800"]}, "field 'tags.0'"),
    ],
)
def test_a_fault_is_named_by_file_line_and_field(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    path = write_lines(tmp_path, GOOD, GOOD | {"id": "four-2"} | change)
    message = fault(path)
    assert f"{path}, line 2" in message
    assert named in message


HEADED = f"# Le four\n\n{TEXT}"
SENTENCES = ["Le four chauffe vite.", "La porte ferme mal.", "Le prix est de 40 €."]


@pytest.mark.parametrize(
    ("quoted", "meant"),
    [
        (["Le prix est de 40 €."], SENTENCES[2:]),
        (["Le prix est de 40 €"], SENTENCES[2:]),
        (["40 €"], SENTENCES[2:]),
        (["La porte ferme mal. Le prix est de 40 €."], SENTENCES[1:]),
        (["La porte ferme mal. Le prix"], SENTENCES[1:2]),
        (["chauffe vite. La porte"], SENTENCES[:1]),
        (["Le prix est de 40 €.", "La porte", "ferme mal."], SENTENCES[1:]),
        ([HEADED], SENTENCES),
    ],
)
def test_a_span_of_evidence_means_the_sentences_that_it_shares_half_with(
    tmp_path: Path, quoted: list[str], meant: list[str]
) -> None:
    starts = [(HEADED.index(text), text) for text in quoted]
    spans = [{"start": start, "end": start + len(text)} for start, text in starts]
    path = write_lines(tmp_path, GOOD | {"evidence": [spans]})
    (item,) = load_items(path, {"four.txt": HEADED})
    assert [HEADED[start:end] for start, end in item.evidence[0]] == meant


def test_a_span_that_means_no_sentence_is_refused_by_file_line_and_field(tmp_path: Path) -> None:
    whole = HEADED.index(SENTENCES[2])
    spans = [{"start": whole, "end": len(HEADED)}, {"start": 0, "end": len("# Le four")}]
    path = write_lines(tmp_path, GOOD | {"evidence": [spans]})
    with pytest.raises(InputError) as caught:
        load_items(path, {"four.txt": HEADED})
    named = f"{path}, line 1, field 'evidence.0.1': 0-9 is no sentence that can be cited"
    assert named in str(caught.value)


def test_invalid_json_names_its_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path, GOOD, '{"id": "four-2",')
    assert f"{path}, line 2: invalid JSON" in fault(path)


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 100_000])
def test_json_that_python_gives_up_on_names_its_line(tmp_path: Path, value: str) -> None:
    path = write_lines(tmp_path, GOOD, f'{{"id": {value}')
    assert f"{path}, line 2: JSON nested too deep, or a number of too many digits" in fault(path)


def test_a_line_that_is_no_object_is_refused(tmp_path: Path) -> None:
    assert "line 1" in fault(write_lines(tmp_path, "[1, 2]"))


def test_a_second_use_of_an_id_names_both_lines(tmp_path: Path) -> None:
    message = fault(write_lines(tmp_path, GOOD, "", GOOD))
    assert "line 3, field 'id'" in message
    assert "line 1" in message


def test_files_that_are_missing_empty_or_not_utf8_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in fault(tmp_path / "absent.jsonl")
    assert "holds no question" in fault(write_lines(tmp_path, ""))
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes('{"id": "é"}'.encode("latin-1"))
    assert "not UTF-8" in fault(latin)
