"""``qa eval`` from the command on: what it writes, refuses, resumes, compares and guards."""

import base64
import hashlib
import io
import json
import re
import shlex
from dataclasses import replace
from zipfile import ZipFile

import pytest
from rich.console import Console

from fakes import HashEncoder
from qa.errors import InputError, ModelUnavailable
from qa.llm.choose import Choice
from qa.settings import Settings
from qa.types import Answer, Citation, Statement, Turn
from qa_eval import cli, corpus
from qa_eval.data import load_items
from qa_eval.feedback import stored, write_feedback
from qa_eval.figures import MEASURES
from qa_eval.gate import load_gate
from qa_eval.predictions import PREDICTIONS, Prediction
from qa_eval.progress import Progress
from test_eval_data import DEV, ROOT
from test_eval_run import Dying
from test_pipeline import says, scripted

FIRST = "Les États-Unis déploient 2500 soldats en Irak."
SECOND = "Le général Yahya Rasoul a parlé à Bagdad."
EVIL = "<script>alert(1)</script>"
TEXT = f"{FIRST}\n{SECOND}\nLa réunion reprend dimanche à midi {EVIL}.\n"


def line(id_, question, kind="answerable", **fields):
    gold = {"answers": ["2500"], "evidence": [[{"start": 0, "end": len(FIRST)}]]}
    return {"id": id_, "document": "a.txt", "question": question, "kind": kind} | (
        fields or (gold if kind == "answerable" else {})
    )


@pytest.fixture
def bench(request, tmp_path, monkeypatch):
    """A folder with a set of three questions, and a scripted model where ours would be loaded.

    Drawing takes most of a run's time, so only the tests of the page draw.
    """
    if "page" not in request.node.name:
        monkeypatch.setattr("qa_eval.plots._svg", lambda axes: "<svg></svg>")
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text(TEXT, encoding="utf-8")
    lines = [
        line("a1", "Combien de soldats sont en Irak ?"),
        line("a2", f"Quand reprend la réunion {EVIL} ?", answers=["lundi"],
             evidence=[[{"start": len(FIRST) + 1, "end": len(FIRST) + 1 + len(SECOND)}]]),
        line("a3", "Quelle est la capitale du Japon ?", "unanswerable:off-topic"),
    ]  # fmt: skip
    data = tmp_path / "set.jsonl"
    data.write_text("\n".join(json.dumps(one) for one in lines), encoding="utf-8")

    class Bench:
        folder, out = tmp_path, tmp_path / "out"
        settings = Settings(store=tmp_path / "s", cache=tmp_path, documents=())
        model = scripted(
            f"2500 soldats. {EVIL}",
            probes=lambda user: says(-5.0 if "Japon" in user else 5.0),
        )

        def run(self, *arguments, out=None):
            return cli.main(
                ["--data", str(data), "--out", str(out or self.out), *map(str, arguments)],
                self.settings,
            )

        def results(self, out=None):
            return json.loads(((out or self.out) / "results.json").read_text("utf-8"))

    made = Bench()
    monkeypatch.setattr("qa.assistant.load_encoder", lambda *_, **__: HashEncoder())
    monkeypatch.setattr(
        "qa.assistant.choose_model", lambda *_, **__: Choice(made.model, "scripted")
    )
    return made


def test_a_run_writes_predictions_results_scores_and_a_report(bench, capsys):
    assert bench.run() == 0
    results = bench.results()
    assert results["questions"] == 3
    assert results["figures"]["refused_off_topic"]["value"] == 1.0
    assert {"value", "low", "high", "n"} == results["figures"]["citation_f1"].keys()
    assert results["groups"]["answerable"]["citation_f1"]["n"] == 2
    assert results["figures"]["computed_tokens_p50"]["value"] > 0
    assert results["backend"] == "scripted"
    printed = capsys.readouterr().out
    for shown in ("citation_f1", "unanswerable:off-topic", "latency_s_p95", "n=2"):
        assert shown in printed
    made = [json.loads(row) for row in (bench.out / PREDICTIONS).read_text("utf-8").splitlines()]
    assert [row["id"] for row in made] == ["a1", "a2", "a3"]
    assert [row["before"]["all"] for row in made] == [1, 1, 1]  # the model's votes were seen


def test_the_page_fetches_nothing_and_runs_nothing_of_what_was_said(bench):
    bench.run()
    page = (bench.out / "report.html").read_text("utf-8")
    assert "alert(1)" in page
    assert EVIL not in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:img|link|iframe|object|audio|video|base)\b", page)
    assert not re.search(r"(?:src|(?<!xlink:)href)\s*=\s*[\"']?(?!#)\w", page)
    assert not re.search(r"url\((?!#)|@import", page)
    assert page.count("<svg") == 4


def test_the_page_shows_wrong_answers_with_their_sources_by_kind(bench):
    bench.run()
    page = (bench.out / "report.html").read_text("utf-8")
    cases = re.findall(r"<details class=case data-kinds='([^']*)'>(.*?)</details>", page, re.DOTALL)
    (kinds, case) = next(one for one in cases if "a2" in one[1])
    assert kinds == "answerable"
    assert "the citations do not prove the answer" in case
    assert "lundi" in case
    assert f"<mark class='gold'>{SECOND}</mark>" in case
    assert "<option>answerable" in page
    assert not any("<b>a3</b>" in one for _, one in cases)


def test_a_run_goes_on_with_what_is_missing_and_asks_nothing_twice(bench):
    bench.run("--limit", 1, "--seed", 3)
    asked = len(bench.model.prompts)
    bench.run()
    rows = (bench.out / PREDICTIONS).read_text("utf-8").splitlines()
    assert len(rows) == 3
    before = len(bench.model.prompts)
    assert before > asked
    bench.run()
    assert len(bench.model.prompts) == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--baseline", "bm25"], "system was 'qa', is 'bm25'"),
        (["--corpus"], "corpus was False, is True"),
        (["--read", "0"], "voting was True, is False"),
    ],
)
def test_another_run_may_not_go_on_in_the_same_folder(bench, arguments, named):
    bench.run()
    with pytest.raises(InputError, match=re.escape(named)):
        bench.run(*arguments)


def test_changed_questions_documents_or_models_may_not_go_on_either(bench):
    bench.run()
    data = bench.folder / "set.jsonl"
    kept = data.read_text("utf-8")
    data.write_text(kept.replace("Combien de", "Combien  de"), encoding="utf-8")
    with pytest.raises(InputError, match="data_sha256"):
        bench.run()
    data.write_text(kept, encoding="utf-8")
    text = bench.folder / "documents" / "a.txt"
    text.write_text(TEXT.replace("midi", "minuit"), encoding="utf-8")
    with pytest.raises(InputError, match="documents_sha256"):
        bench.run()
    text.write_text(TEXT, encoding="utf-8")
    bench.model.identity = "another model"
    with pytest.raises(InputError, match="'scripted-1', is 'another model'"):
        bench.run()


def test_changed_code_may_not_go_on_and_weights_are_not_read_for_it(bench, monkeypatch):
    package = bench.folder / "qa"
    (package / "data").mkdir(parents=True)
    for name in ("evidence.json", "order.json", "whole.json", "weights.gguf", "words.toml"):
        (package / "data" / name).write_text("{}", encoding="utf-8")
    (package / "part.py").write_text("one = 1", encoding="utf-8")
    monkeypatch.setattr("qa_eval.manifest.files", lambda _: package)
    bench.run()
    (package / "data" / "weights.gguf").write_text("other", encoding="utf-8")
    bench.run()
    (package / "ui").mkdir()
    (package / "ui" / "page.py").write_text("it answers nothing", encoding="utf-8")
    bench.run()
    for name, kept in (("part.py", "one = 1"), ("data/words.toml", "{}")):
        (package / name).write_text("two = 2", encoding="utf-8")
        with pytest.raises(InputError, match="code_sha256 was"):
            bench.run()
        (package / name).write_text(kept, encoding="utf-8")
    bench.run()


def add_document(bench):
    """Give the set a second document, which one question is about."""
    (bench.folder / "documents" / "b.txt").write_text(TEXT, encoding="utf-8")
    more = json.dumps(line("b1", "De quoi parle le texte ?", "overview") | {"document": "b.txt"})
    data = bench.folder / "set.jsonl"
    data.write_text(data.read_text("utf-8") + "\n" + more, encoding="utf-8")


@pytest.mark.parametrize(("read", "voting"), [(1, False), (2, True)])
def test_whether_documents_are_read_whole_is_a_matter_of_the_set_not_of_the_limit(
    bench, capsys, read, voting
):
    add_document(bench)
    bench.run("--limit", 1, "--read", read)
    assert "indexed 1 of 1 documents" in (shown := capsys.readouterr().err)
    assert ("the model reads" in shown) == voting
    assert bench.results()["voting"] is voting
    bench.run("--limit", 4, "--read", read)
    assert bench.results()["questions"] == 4


def test_a_question_drawn_is_asked_over_all_documents_of_the_set(bench, capsys):
    add_document(bench)
    bench.run("--limit", 1, "--corpus")
    assert "indexed 2 of 2 documents" in capsys.readouterr().err
    assert bench.results()["voting"] is False
    bench.run("--corpus")
    assert bench.results()["questions"] == 4


def test_predictions_of_nobody_knows_what_are_not_gone_on_with(bench):
    bench.out.mkdir()
    (bench.out / PREDICTIONS).write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"no run\.json"):
        bench.run()


def test_a_dead_model_leaves_what_is_done_and_the_command_that_goes_on(bench, capsys):
    bench.model = Dying(default=bench.model.default)
    bench.run("--limit", 1)
    bench.model.failures = 99
    with pytest.raises(ModelUnavailable):
        bench.run()
    shown = capsys.readouterr().err
    assert "1 of 3 answers are kept" in shown
    command = shlex.split(shown.rpartition("To go on: ")[2].splitlines()[0])
    assert command[:2] == ["qa", "eval"]
    bench.model.failures = 0
    assert cli.main(command[2:], bench.settings) == 0
    assert bench.results()["questions"] == 3


def test_ctrl_c_leaves_what_is_done_and_the_command_that_goes_on(bench, capsys):
    answers = bench.model.default

    def interrupt(prompt):
        if "Japon" in prompt.messages[-1].content:
            raise KeyboardInterrupt
        return answers(prompt)

    bench.model.default = interrupt
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    assert "2 of 3 answers are kept. To go on: qa eval" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["qa.assistant.load_encoder", "qa_eval.cli.score_items"])
def test_ctrl_c_while_loading_or_scoring_tells_the_command_too(bench, capsys, monkeypatch, what):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    bench.run()
    capsys.readouterr()
    monkeypatch.setattr(what, interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    assert "3 of 3 answers are kept. To go on: qa eval" in capsys.readouterr().err


def test_a_run_that_is_refused_tells_no_command_to_go_on(bench, capsys):
    bench.run()
    bench.model.identity = "another model"
    with pytest.raises(InputError):
        bench.run()
    assert "To go on" not in capsys.readouterr().err


def test_collecting_that_stops_keeps_the_features_and_tells_the_command_that_goes_on(bench, capsys):
    bench.model = Dying(default=bench.model.default)
    bench.run("--collect", "--read", 0, "--limit", 1, "--seed", 3)
    bench.model.failures = 99
    with pytest.raises(ModelUnavailable):
        bench.run("--collect", "--read", 0)
    shown = capsys.readouterr().err
    assert "1 of 3 features are kept" in shown
    command = shlex.split(shown.rpartition("To go on: ")[2].splitlines()[0])
    bench.model.failures = 0
    assert cli.main(command[2:], bench.settings) == 0
    rows = (bench.out / "features.jsonl").read_text("utf-8").splitlines()
    assert sorted(json.loads(row)["id"] for row in rows) == ["a1", "a2", "a3"]


def test_a_fit_that_stops_tells_the_command_that_goes_on(bench, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("qa_eval.fit.fit_part", interrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.run("--fit", "--read", 0)
    assert "3 of 3 features are kept. To go on: qa eval" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--limit", "0"], "--limit: '0' is not"),
        (["--limit", "-2"], "--limit: '-2' is not"),
        (["--near-miss", "1.5"], "--near-miss: '1.5' is not"),
        (["--near-miss", "-0.1"], "--near-miss: '-0.1' is not"),
        (["--near-miss", "nan"], "--near-miss: 'nan' is not"),
        (["--near-miss", "x"], "--near-miss: 'x' is not"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(bench, capsys, arguments, named):
    with pytest.raises(SystemExit):
        bench.run(*arguments)
    assert named in capsys.readouterr().err


def test_features_to_fit_with_that_are_not_there_are_refused(bench):
    with pytest.raises(InputError, match=r"--fit: there is no file 'none\.jsonl'"):
        bench.run("--fit", "none.jsonl")
    assert not bench.out.exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--collect", "--known", "none.jsonl"), r"--known: there is no file 'none\.jsonl'"),
        (("--known", __file__), r"--known goes with features.*add --collect or --fit"),
        (("--fit", __file__, "--known", "none.jsonl"), "collected, not with --fit FILE"),
    ],
)
def test_known_features_that_cannot_be_used_are_refused(bench, given, told):
    with pytest.raises(InputError, match=told):
        bench.run(*given)
    assert not bench.out.exists()


def test_known_features_of_the_same_reader_are_taken_over_and_others_refused(bench):
    again, first = bench.folder / "again", bench.out / "features.jsonl"
    bench.model.label, bench.model.reads = "one", True
    bench.run("--collect", "--read", 0)
    bench.model.prompts.clear()
    bench.run("--collect", "--read", 0, "--known", first, out=again)
    assert not [prompt for prompt in bench.model.prompts if prompt.max_tokens == 1]
    bench.model.label = "two"
    with pytest.raises(InputError, match=r"--known: .*features of 'one', or of .*leave it out"):
        bench.run("--collect", "--read", 0, "--known", first, out=bench.folder / "third")
    with pytest.raises(InputError, match="no line names its model"):
        bench.run("--collect", "--known", bench.folder / "set.jsonl", out=bench.folder / "third")


def test_features_that_are_kept_are_fitted_without_a_model(bench, monkeypatch):
    bench.run("--collect", "--read", 0)
    asked = len(bench.model.prompts)
    fitted = []
    monkeypatch.setattr("qa_eval.cli._fit_parts", lambda *given: fitted.append(given))
    monkeypatch.setattr("qa.embed.load_encoder", lambda *_, **__: HashEncoder())
    path = bench.out / "features.jsonl"
    text = path.read_text("utf-8").replace('"model": ""', '"model": "one"')
    path.write_text(text, encoding="utf-8")
    bench.run("--fit", path, "--parts", "probe")
    ((parts, samples, model, _, command),) = fitted
    assert shlex.split(command)[-4:] == ["--fit", str(path), "--parts", "probe"]
    assert ([part.name for part in parts], len(samples), model) == (["probe"], 3, "one")
    assert len(bench.model.prompts) == asked
    path.write_text(text.replace('"model": "one"', '"model": ""'), encoding="utf-8")
    with pytest.raises(InputError, match="no line names its model"):
        bench.run("--fit", path)


def test_the_command_to_resume_names_the_folder_and_the_backend(tmp_path):
    settings = Settings(backend="extractive")
    command = cli._resume(["--limit", "3"], tmp_path / "a b", settings)
    assert shlex.split(command)[2:] == [
        "--limit", "3", "--out", str(tmp_path / "a b"), "--backend", "extractive",
    ]  # fmt: skip


def test_results_name_the_command_as_it_can_be_typed_again(bench):
    bench.settings = bench.settings.model_copy(update={"backend": "embedded"})
    bench.run(out=bench.folder / "a b")
    command = shlex.split(bench.results(bench.folder / "a b")["command"])
    assert command[:2] == ["qa", "eval"]
    assert command[-4:] == ["--out", str(bench.folder / "a b"), "--backend", "embedded"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, r"nope\.jsonl"),
        ('{"id": "a"', r"nope\.jsonl, line 1: invalid JSON"),
        (json.dumps(line("a", "Q ?", "what")), "line 1, field 'kind'"),
        (json.dumps(line("a", "Q ?") | {"document": "b.txt"}), "line 1, field 'document': 'b.txt'"),
        (json.dumps(line("a", "Q ?")) + "\n" + json.dumps(line("a", "R ?")), "line 2, field 'id'"),
        (
            json.dumps(line("a", "Q ?", answers=["x"], evidence=[[{"start": 1, "end": 9}]])),
            "line 1, field 'evidence.0.0': wrong offset",
        ),
    ],
)
def test_a_faulty_set_is_refused_before_any_model_is_loaded(bench, monkeypatch, text, named):
    def loaded(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("qa.assistant.load_encoder", loaded)
    monkeypatch.setattr("qa.assistant.choose_model", loaded)
    data = bench.folder / "nope.jsonl"
    if text is not None:
        data.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=named):
        cli.main(["--data", str(data), "--out", str(bench.out)], bench.settings)
    assert not (bench.out / "run.json").exists()


def test_a_document_in_a_subfolder_is_asked_under_its_name(bench):
    documents = bench.folder / "documents"
    (documents / "sub").mkdir()
    (documents / "a.txt").rename(documents / "sub" / "a.txt")
    data = bench.folder / "set.jsonl"
    data.write_text(data.read_text("utf-8").replace("a.txt", "sub/a.txt"), encoding="utf-8")
    assert bench.run() == 0
    assert bench.results()["figures"]["citation_f1"]["value"] > 0


def test_a_document_in_an_archive_is_asked_under_its_name(bench):
    documents = bench.folder / "documents"
    with ZipFile(documents / "all.zip", "w") as archive:
        archive.write(documents / "a.txt", "a.txt")
    (documents / "a.txt").unlink()
    data = bench.folder / "set.jsonl"
    data.write_text(data.read_text("utf-8").replace("a.txt", "all.zip/a.txt"), encoding="utf-8")
    assert bench.run() == 0
    assert bench.results()["figures"]["citation_f1"]["value"] > 0


def test_two_documents_of_one_name_are_refused_only_where_both_are_asked(bench):
    sub = bench.folder / "documents" / "sub"
    sub.mkdir()
    (sub / "a.txt").write_text(TEXT, encoding="utf-8")
    data = bench.folder / "set.jsonl"
    assert {item.document for item in corpus.load(data, [sub.parent], sub)[0]} == {"a.txt"}
    more = json.dumps(line("b1", "Combien ?") | {"document": "sub/a.txt"})
    data.write_text(data.read_text("utf-8") + "\n" + more, encoding="utf-8")
    with pytest.raises(InputError, match=r"'a\.txt' and 'sub/a\.txt' have the same name"):
        corpus.load(data, [sub.parent], sub)


def test_a_file_that_cannot_be_read_stops_only_the_set_that_asks_about_it(bench):
    documents = bench.folder / "documents"
    (documents / "b.txt").write_bytes(b" ")
    data = bench.folder / "set.jsonl"
    assert len(corpus.load(data, [documents], documents)[0]) == 3
    data.write_text(json.dumps(line("b1", "Où ?", "overview") | {"document": "b.txt"}), "utf-8")
    with pytest.raises(InputError, match=r"b\.txt' holds only white space"):
        corpus.load(data, [documents], documents)


def test_an_answer_over_all_documents_is_scored_on_its_own_document(bench):
    (bench.folder / "documents" / "b.txt").write_text(f"{SECOND}\n{FIRST}\n", encoding="utf-8")
    assert bench.run("--corpus") == 0
    assert bench.results()["figures"]["pointer_validity"]["value"] == 1.0


@pytest.mark.parametrize(
    "name", ["bm25", "dense", "citation-64", "citation-512", "no-check", "oracle"]
)
def test_every_baseline_runs_through_the_same_command(bench, name):
    assert bench.run("--baseline", name) == 0
    assert bench.results()["system"] == name


@pytest.mark.parametrize(
    ("arguments", "backend", "named"),
    [
        (["oracle", "--corpus"], "auto", "leave out --corpus"),
        (["citation-64"], "extractive", "--baseline citation-64 needs a model"),
    ],
)
def test_a_baseline_that_cannot_be_asked_is_refused_before_anything_is_made(
    bench, arguments, backend, named
):
    bench.settings = bench.settings.model_copy(update={"backend": backend})
    with pytest.raises(InputError, match=named):
        bench.run("--baseline", *arguments)
    assert not bench.out.exists()


def test_two_runs_are_compared_measure_by_measure(bench, capsys):
    bench.run(out=bench.folder / "ours")
    bench.run("--baseline", "dense", out=bench.folder / "dense")
    capsys.readouterr()
    folders = [str(bench.folder / name) for name in ("dense", "ours")]
    assert cli.main(["--compare", *folders], bench.settings) == 0
    printed = capsys.readouterr().out
    assert "3 questions in both, 1 documents" in printed
    row = next(row for row in printed.splitlines() if row.startswith("refused_off_topic"))
    assert row.split()[1:4] == ["0.000", "1.000", "+1.000"]
    assert row.split()[4:] == ["1.000"]  # one document: no interval, nothing but chance
    assert "with so few documents as 1, none is below 1." in printed


def test_only_runs_on_the_same_questions_are_compared(bench):
    bench.run(out=bench.folder / "ours")
    with pytest.raises(InputError, match="holds no run"):
        cli.main(["--compare", str(bench.folder / "ours"), str(bench.folder)], bench.settings)
    data = bench.folder / "set.jsonl"
    data.write_text(data.read_text("utf-8").replace("Combien", "combien"), encoding="utf-8")
    bench.run(out=bench.folder / "other")
    folders = [str(bench.folder / name) for name in ("ours", "other")]
    with pytest.raises(InputError, match="different questions"):
        cli.main(["--compare", *folders], bench.settings)


def write_gate(bench, **changes):
    gate = {"data": "set.jsonl", "ids": ["a1", "a3"], "at_least": {"citation_f1": 0.6}} | changes
    path = bench.folder / "gate.json"
    path.write_text(json.dumps(gate), encoding="utf-8")
    return path


def run_gate(bench, **changes):
    path = write_gate(bench, **changes)
    return cli.main(["--gate", str(path), "--out", str(bench.out)], bench.settings)


def test_a_gate_asks_its_questions_and_holds_its_bounds(bench, capsys):
    assert run_gate(bench, at_least={"citation_f1": 0.6, "refused_off_topic": 1.0}) == 0
    assert bench.results()["questions"] == 2
    assert "citation_f1                1.000 ≥ 0.6  ok" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes",
    [
        {"at_least": {"exact_match": 1.1}},
        {"at_least": {}, "at_most": {"refused_off_topic": 0.5}},
        {"at_least": {"overview_answered": 0.0}},  # nothing in the run measures it
    ],
)
def test_a_broken_bound_or_a_measure_that_is_missing_fails_the_gate(bench, changes, capsys):
    assert run_gate(bench, **changes) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_our_gate_asks_25_development_questions_by_measures_that_exist():
    gate = load_gate(ROOT / "eval" / "gate.json")
    assert gate.data == ROOT / "eval" / "dev.jsonl"
    items = gate.choose(DEV)
    assert len({item.id for item in items}) == 25
    assert {*gate.at_least, *gate.at_most} <= MEASURES.keys()
    assert gate.at_least["pointer_validity"] == gate.at_least["refused_off_topic"] == 1.0
    assert {item.kind for item in items} >= {"answerable", "followup", "overview"}


def test_a_faulty_gate_is_an_error_that_names_it(bench):
    with pytest.raises(InputError, match="'zz'"):
        run_gate(bench, ids=["zz"])
    with pytest.raises(InputError, match="field 'at_lest'"):
        run_gate(bench, at_lest={})
    with pytest.raises(InputError, match="cannot be read"):
        load_gate(bench.folder / "none.json")
    latin = bench.folder / "latin.json"
    latin.write_bytes('{"data": "é"}'.encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.json, .*invalid unicode"):
        load_gate(latin)


def test_without_a_terminal_each_question_is_a_line_with_rate_and_time_left():
    console = Console(file=io.StringIO(), width=200)
    made = Prediction("a2", "Q ?", True, "x", (), 1.0, latency_s=2.0)
    with Progress(4, 1, console) as progress:
        progress(made)
    shown = console.file.getvalue()
    assert re.search(r"2/4 a2: answered in 2\.0 s; [\d.]+ a minute, \d+ s left", shown)


def test_on_a_terminal_there_is_a_bar_with_rate_and_time_left():
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with Progress(4, 1, console) as progress:
        progress(Prediction("a2", "Q ?", False, "x", (), 1.0, latency_s=2.0))
    shown = console.file.getvalue()
    for part in ("2/4", "a minute", "left", "a2: refused in 2.0 s"):
        assert part in shown


# --- the chat's thumbs -------------------------------------------------------------------------


class Kept:
    """Conversations with judged answers."""

    def __init__(self, *judged):
        self.judged = judged

    def feedback(self):
        return iter(self.judged)

    def close(self):
        pass


class OneFeedback:
    def __init__(self, question, answer, verdict, history=(), documents=None):
        self.question, self.answer, self.verdict = question, answer, verdict
        self.history, self.documents = history, documents


CITED = Citation("a.txt", "a", None, 0, len(FIRST), FIRST, 1.0)
RIGHT = Answer(
    "2500.", True, 0.9, (Statement("2500.", (CITED,), "supported"),), (CITED,), (), "Q", "x"
)
REFUSAL = Answer("Pas de réponse.", False, 0.1, (), (), (CITED,), "Q", "x")


def test_thumbs_up_become_questions_that_can_be_measured_with(tmp_path):
    history = (Turn("Qui parle ?", "Le général."),)
    kept = Kept(
        OneFeedback("Combien ?", RIGHT, "up"),
        OneFeedback("Combien ?", RIGHT, "up"),
        OneFeedback("Et lui ?", RIGHT, "up", history),
        OneFeedback("Prix du vin ?", REFUSAL, "up", documents=("a.txt",)),
    )
    path = tmp_path / "mine.jsonl"
    written = write_feedback(kept, path)
    assert (written.items, written.to_complete) == (3, 0)
    items = load_items(path, {"a.txt": TEXT})
    assert [item.kind for item in items] == ["answerable", "followup", "unanswerable:near-miss"]
    assert items[0].evidence == (((0, len(FIRST)),),)
    assert items[1].history == history


def test_thumbs_down_are_left_for_a_person_and_refused_until_completed(tmp_path):
    other = Citation("b.txt", "b", None, 0, 3, "abc", 1.0)
    across = Answer("Les deux.", True, 0.9, (), (CITED, other), (), "Q", "x")
    kept = Kept(
        OneFeedback("Combien ?", RIGHT, "down"),
        OneFeedback("Où ?", REFUSAL, "down"),
        OneFeedback("Et les deux ?", across, "up"),
    )
    path = tmp_path / "mine.jsonl"
    written = write_feedback(kept, path)
    assert (written.items, written.to_complete) == (0, 3)
    assert path.read_text("utf-8") == ""
    todo = tmp_path / "mine.todo.jsonl"
    rows = [json.loads(row) for row in todo.read_text("utf-8").splitlines()]
    assert all(row["kind"] == "answerable" for row in rows)
    assert [row["evidence"] for row in rows] == [[], [], []]
    with pytest.raises(InputError, match="line 1"):
        load_items(todo, {"a.txt": TEXT, "b.txt": "abc"})


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.todo.jsonl"])
def test_what_a_person_completed_is_not_written_over(tmp_path, name):
    held = tmp_path / name
    held.write_text("by hand", encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"{name}' exists")):
        write_feedback(Kept(OneFeedback("Combien ?", RIGHT, "down")), tmp_path / "mine.jsonl")
    assert [path.read_text("utf-8") for path in tmp_path.iterdir()] == ["by hand"]


def test_what_the_chat_page_stored_is_written_as_a_set(tmp_path, capsys):
    kept = pytest.importorskip("qa.ui.conversations")
    store = tmp_path / "store"
    with pytest.raises(InputError, match=re.escape(repr(str(store)))):
        stored(store)
    conversations = kept.Conversations(store / kept.FILE)
    conversation = conversations.begin("Combien ?").id
    exchange = replace(kept.Exchange(question="Combien ?"), answer=RIGHT)
    exchange = conversations.add(conversation, exchange)
    conversations.save(exchange)
    conversations.judge(conversation, exchange.key, "up")
    conversations.close()
    path = tmp_path / "mine.jsonl"
    assert cli.main(["--from-feedback", str(path)], Settings(store=store)) == 0
    assert "1 questions" in capsys.readouterr().err
    assert [item.question for item in load_items(path, {"a.txt": TEXT})] == ["Combien ?"]


def test_squad_sets_are_measured_through_the_same_command(bench):
    article = {"title": "Un / titre", "paragraphs": []}
    for number, text in enumerate((FIRST, SECOND)):
        answer = {"text": text.split()[-2], "answer_start": text.index(text.split()[-2])}
        question = {"id": f"q{number}", "question": "Combien de soldats ?", "answers": [answer]}
        article["paragraphs"].append({"context": text, "qas": [question]})
    data = bench.folder / "squad.json"
    data.write_text(json.dumps({"data": [article]}), encoding="utf-8")
    arguments = ["--data", str(data), "--out", str(bench.out), "--near-miss", "1.0"]
    assert cli.main(arguments, bench.settings) == 0
    assert bench.results()["near_miss"] == 1.0
    assert bench.results()["questions"] == 2
    assert corpus.load(data, [], bench.folder / "w")[0][0].has_gold


def test_a_counterfactual_run_asks_for_changed_numbers_of_changed_documents(bench):
    arguments = ["--data", str(bench.folder / "set.jsonl"), "--out", str(bench.out)]
    arguments += ["--counterfactual"]
    assert cli.main(arguments, bench.settings) == 0
    assert bench.results()["counterfactual"] is True
    assert bench.results()["questions"] == 1  # only one asks for a number
    (edited,) = (bench.out / "documents").iterdir()
    text = edited.read_text(encoding="utf-8")
    assert "2500" not in text
    assert len(text) == len(TEXT)
