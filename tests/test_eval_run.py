import json

import pytest

from fakes import HashEncoder
from qa.assistant import Assistant
from qa.errors import InputError
from qa.llm.choose import Choice
from qa.settings import Settings
from qa.store import Store
from qa_eval import cli, corpus
from qa_eval.baselines import BASELINES
from qa_eval.data import Item
from qa_eval.features import collect, load_samples
from qa_eval.fit import PARTS, best_threshold, fit_part, replayed, summary
from qa_eval.run import read_predictions, run_items, score, wrong
from test_pipeline import says, scripted

FIRST = "Les États-Unis déploient 2500 soldats en Irak."
SECOND = "Le général Yahya Rasoul a parlé à Bagdad."
TEXT = f"{FIRST}\n{SECOND}\nLa réunion reprend dimanche à midi.\n"
GOLD = ((0, len(FIRST)),)
ITEMS = (
    Item("a1", "a.txt", "Combien de soldats sont en Irak ?", "answerable", ("2500",), (GOLD,)),
    Item("a2", "a.txt", "Quelle est la capitale du Japon ?", "unanswerable:off-topic"),
)
CONTRACT = {"id", "question", "answered", "text", "citations", "confidence", "latency_s"} | {
    "first_token_s",
    "computed_tokens",
    "generated_tokens",
}


@pytest.fixture
def assistant(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text(TEXT, encoding="utf-8")
    settings = Settings(store=tmp_path / "store", cache=tmp_path)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    model = scripted(
        "2500 soldats.",
        probes=lambda user: says(5.0 if "Irak ?" in user and "2500" in user else -5.0),
    )
    with Assistant(store, encoder, Choice(model, "scripted"), settings, [file]) as opened:
        opened.index([file])
        yield opened


def test_predictions_have_the_contracts_fields_and_figures_are_right(assistant, tmp_path):
    rows = run_items(assistant, ITEMS, tmp_path / "out")
    assert all(row.keys() >= CONTRACT for row in rows)
    assert rows[0]["citations"] == [{"document": "a.txt", "start": 0, "end": len(FIRST)}]
    figures = score(ITEMS, rows)
    assert figures["citation_f1"]["mean"] == 1.0
    assert figures["containment"]["mean"] == 1.0
    assert figures["refused_off_topic"]["mean"] == 1.0
    assert figures["pointer_validity"] == figures["coverage"] == 1.0
    assert wrong(ITEMS, rows) == []


def test_an_interrupted_run_goes_on_where_it_stopped(assistant, tmp_path):
    run_items(assistant, ITEMS[:1], tmp_path)
    with (tmp_path / "predictions.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "cut')
    asked = len(assistant.resources().model.prompts)
    rows = run_items(assistant, ITEMS[:1], tmp_path)
    assert len(assistant.resources().model.prompts) == asked
    assert [row["id"] for row in rows] == ["a1"]
    assert set(read_predictions(tmp_path / "predictions.jsonl")) == {"a1"}


def test_a_refused_answerable_question_scores_zero_and_is_listed(tmp_path):
    row = {
        "id": "a1",
        "answered": False,
        "text": "Les documents …",
        "citations": [],
        "confidence": 0.1,
    }
    row |= {"pointers_valid": True, "statements": [], "computed_tokens": 1, "generated_tokens": 1}
    row |= {"latency_s": 1.0}
    figures = score(ITEMS[:1], [row])
    assert figures["citation_f1"]["mean"] == figures["containment"]["mean"] == 0.0
    assert figures["over_refusal"]["mean"] == 1.0
    assert wrong(ITEMS[:1], [row])


@pytest.mark.parametrize("name", ["bm25", "dense"])
def test_a_baseline_quotes_one_sentence(assistant, name):
    answer = list(BASELINES[name](assistant).stream(ITEMS[0].question, (), ["a.txt"]))[-1]
    assert answer.answered
    assert [citation.text for citation in answer.citations] == [FIRST]


def test_the_citation_engine_is_asked_through_the_same_model_and_its_markers_counted(assistant):
    assistant.replace_model(scripted("2500 soldats [1]."))
    answer = list(BASELINES["citation-64"](assistant).stream(ITEMS[0].question, (), ["a.txt"]))[-1]
    assert answer.text == "2500 soldats ."
    assert FIRST in [citation.text for citation in answer.citations]


def test_features_are_collected_once_and_a_fit_separates_the_sides(assistant, tmp_path):
    path = tmp_path / "features.jsonl"
    resources = assistant.resources()
    collect(resources, resources.model, ITEMS, path, voting=False)
    collect(resources, resources.model, ITEMS, path, voting=False)
    samples = load_samples(path)
    assert [sample.id for sample in samples] == ["a1", "a2"]
    assert samples[0].gold[0]
    many = [
        sample.__class__(
            f"{sample.id}-{n}", f"{n}.txt", *(getattr(sample, f) for f in sample.__slots__[2:])
        )
        for n in range(10)
        for sample in samples
    ]
    for part in PARTS:
        calibration, outcomes = fit_part(part, many)
        assert 0 < calibration.threshold < 1
        if part.probes:
            figures = summary(outcomes)
            assert figures["auroc"] == 1.0
            assert figures["over_refusal"] == 0.0


def test_a_cheaper_policy_sees_fewer_probes(assistant, tmp_path):
    path = tmp_path / "features.jsonl"
    resources = assistant.resources()
    collect(resources, resources.model, ITEMS[:1], path, voting=False)
    (sample,) = load_samples(path)
    assert sum(c.probe is not None for c in sample.candidates) == 2
    assert len(replayed(sample, 1, 9.0, voting=False).candidates) == 1


def test_the_threshold_lies_between_the_sides():
    class Fake:
        def __init__(self, confidence, answerable):
            self.confidence = confidence
            self.sample = type("S", (), {"answerable": answerable})

    outcomes = [Fake(0.9, True), Fake(0.8, True), Fake(0.3, False), Fake(0.1, False)]
    assert 0.3 < best_threshold(outcomes) <= 0.8


def test_the_command_writes_predictions_results_and_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("qa.assistant.load_encoder", lambda *_, **__: HashEncoder())
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text(TEXT, encoding="utf-8")
    line = {"id": "a1", "document": "a.txt", "question": "<script>Combien ?", "kind": "answerable"}
    line |= {"answers": ["2500"], "evidence": [[{"start": 0, "end": len(FIRST)}]]}
    (tmp_path / "set.jsonl").write_text(json.dumps(line), encoding="utf-8")
    settings = Settings(store=tmp_path / "s", cache=tmp_path, backend="extractive", documents=())
    out = tmp_path / "out"
    assert cli.main(["--data", str(tmp_path / "set.jsonl"), "--out", str(out)], settings) == 0
    results = json.loads((out / "results.json").read_text("utf-8"))
    assert results["questions"] == 1
    assert "citation_f1" in results["figures"]
    assert "citation_f1" in capsys.readouterr().out
    assert "<script>" not in (out / "report.html").read_text("utf-8")


def test_a_missing_set_or_a_wrong_offset_is_an_error_before_any_model(tmp_path):
    settings = Settings(cache=tmp_path, documents=())
    with pytest.raises(InputError, match=r"nope\.jsonl"):
        cli.main(["--data", str(tmp_path / "nope.jsonl")], settings)
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text(TEXT, encoding="utf-8")
    line = {"id": "a1", "document": "a.txt", "question": "Q ?", "kind": "answerable"}
    line |= {"answers": ["x"], "evidence": [[{"start": 0, "end": 9999}]]}
    (tmp_path / "set.jsonl").write_text(json.dumps(line), encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        cli.main(["--data", str(tmp_path / "set.jsonl")], settings)


def test_squad_articles_become_documents_with_the_same_offsets(tmp_path):
    article = {"title": "Un / titre", "paragraphs": [{"context": FIRST, "qas": []}]}
    question = {
        "id": "q",
        "question": "Combien ?",
        "answers": [{"text": "2500", "answer_start": 25}],
    }
    article["paragraphs"][0]["qas"].append(question)
    (tmp_path / "s.json").write_text(json.dumps({"data": [article]}), encoding="utf-8")
    items, paths = corpus.load(tmp_path / "s.json", [], tmp_path / "work")
    assert [path.name for path in paths] == [items[0].document]
    assert paths[0].read_text("utf-8") == FIRST
    assert items[0].evidence == (GOLD,)
