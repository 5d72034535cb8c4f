import json
import math
from dataclasses import replace

import pytest

from fakes import HashEncoder, Reply, ScriptedModel
from qa.assistant import Assistant
from qa.calibration import Logistic, calibration_for
from qa.errors import InputError, ModelUnavailable
from qa.evidence import Candidate, Selection
from qa.llm.choose import Choice
from qa.settings import Settings
from qa.store import Store
from qa.types import Answer, Citation, Document, Evidence, Hit, Sentence, Statement, TokenLogprob
from qa_eval import corpus
from qa_eval.baselines import BASELINES
from qa_eval.data import Item
from qa_eval.features import Sample, collect, load_samples
from qa_eval.fit import (
    PARTS,
    Outcome,
    as_data,
    best_certainty,
    best_threshold,
    fit_part,
    outcome,
    parts_for,
    replayed,
    summary,
    usable,
)
from qa_eval.predictions import (
    PREDICTIONS,
    Pointer,
    Pointers,
    Prediction,
    open_log,
    read_predictions,
    write_line,
)
from qa_eval.recorder import Recorder
from qa_eval.retrieval import searcher
from qa_eval.run import predict, run_items
from qa_eval.score import SCORES, Score, read_scores, write_scores
from test_pipeline import says, scripted

FIRST = "Les États-Unis déploient 2500 soldats en Irak."
SECOND = "Le général Yahya Rasoul a parlé à Bagdad."
TEXT = f"{FIRST}\n{SECOND}\nLa réunion reprend dimanche à midi.\n"
GOLD = ((0, len(FIRST)),)
GOLD_POINTER = Pointer("a.txt", 0, len(FIRST))
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


def test_a_prediction_says_what_was_shown_and_what_it_cost(assistant, tmp_path):
    watch = Recorder(assistant.resources().model)
    assistant.replace_model(watch)
    assistant.warm()
    (made, refused) = run_items(assistant, ITEMS, tmp_path, watch=watch, search=searcher(assistant))
    rows = [json.loads(line) for line in (tmp_path / PREDICTIONS).read_text("utf-8").splitlines()]
    assert all(row.keys() >= CONTRACT for row in rows)
    assert rows[0]["citations"] == [{"document": "a.txt", "start": 0, "end": len(FIRST)}]
    assert made.citations == made.chosen == made.statements[0].citations == (GOLD_POINTER,)
    assert made.draft == made.text == "2500 soldats."
    assert made.retrieved[0] == GOLD_POINTER
    assert made.latency_s >= made.first_token_s
    assert made.computed_tokens > made.generated_tokens > 0
    assert made.calls == 3  # a vote, one probe, since it is sure, and the answer
    assert made.before == Pointers(1, 1)  # the vote named one sentence
    assert made.after.valid == made.after.all > 1
    assert not refused.answered


def test_an_id_that_no_sentence_has_is_counted_before_it_is_dropped(assistant, tmp_path):
    watch = Recorder(scripted("2500 soldats.", vote='{"ids":[1,9]}'))
    assistant.replace_model(watch)
    assistant.warm()
    (made,) = run_items(assistant, ITEMS[:1], tmp_path, watch=watch)
    assert made.before == Pointers(1, 2)
    assert made.after.valid == made.after.all


def test_a_pointer_that_does_not_slice_back_is_counted():
    class Lying:
        def document(self, _):
            return Document("a.txt", "a", TEXT)

        def stream(self, question, history=(), documents=None):
            good = Citation("a.txt", "a", None, 0, len(FIRST), FIRST, 1.0)
            bad = replace(good, end=5)
            said = Statement("Oui.", (good, bad), "supported")
            yield Answer("Oui.", True, 1.0, (said,), (good, bad), (), question, "lying")

    made = predict(Lying(), ITEMS[0])
    assert made.after == Pointers(2, 4)


def test_an_interrupted_run_goes_on_where_it_stopped(assistant, tmp_path):
    run_items(assistant, ITEMS[:1], tmp_path)
    with (tmp_path / PREDICTIONS).open("a", encoding="utf-8") as file:
        file.write('{"id": "cut')
    asked = len(assistant.resources().model.prompts)
    rows = run_items(assistant, ITEMS[:1], tmp_path)
    assert len(assistant.resources().model.prompts) == asked
    assert [row.id for row in rows] == ["a1"]
    run_items(assistant, ITEMS, tmp_path)
    assert set(read_predictions(tmp_path)) == {"a1", "a2"}


class Dying(ScriptedModel):
    """Fails its next ``failures`` calls."""

    failures = 0

    def stream(self, prompt):
        if self.failures:
            self.failures -= 1
            raise ModelUnavailable("the server closed the connection")
        return super().stream(prompt)


def test_a_model_that_fails_once_is_asked_again(assistant, tmp_path):
    model = Dying(default=scripted("2500 soldats.").default)
    model.failures = 1
    watch = Recorder(model)
    assistant.replace_model(watch)
    (made,) = run_items(assistant, ITEMS[:1], tmp_path, watch=watch)
    assert (made.text, made.notices) == ("2500 soldats.", ())


def test_a_dead_model_ends_the_run_and_keeps_what_is_done(assistant, tmp_path):
    model = Dying(default=scripted("2500 soldats.").default)
    watch = Recorder(model)
    assistant.replace_model(watch)
    run_items(assistant, ITEMS[:1], tmp_path, watch=watch)
    model.failures = 99
    with pytest.raises(ModelUnavailable, match="closed the connection"):
        run_items(assistant, ITEMS, tmp_path, watch=watch)
    assert set(read_predictions(tmp_path)) == {"a1"}


def test_a_line_may_hold_characters_that_separate_lines_elsewhere(tmp_path):
    made = Prediction("a\u2028b", "Qui\u0085parle ?", True, "x\u2029y", (), 1.0)
    with open_log(tmp_path) as file:
        write_line(file, made)
    assert read_predictions(tmp_path) == {made.id: made}
    scores = [Score(made.id, "a.txt", "answerable", (), {"right": 1.0})]
    write_scores(tmp_path / SCORES, scores)
    assert read_scores(tmp_path) == scores


def test_a_line_of_another_version_is_an_error_that_names_it(tmp_path):
    (tmp_path / PREDICTIONS).write_text('{"id": "a1", "text": "x"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"predictions\.jsonl, line 1"):
        read_predictions(tmp_path)


@pytest.mark.parametrize(("name", "quoted"), [("bm25", FIRST), ("dense", SECOND)])
def test_a_baseline_quotes_the_first_sentence_of_its_own_ranking(
    assistant, monkeypatch, name, quoted
):
    first, second, _ = assistant.sentences("a.txt")
    hits = [Hit(first, 2.0, 1, dense=0.3, lexical=7.0), Hit(second, 1.0, 2, dense=0.4, lexical=1.0)]
    monkeypatch.setattr("qa_eval.baselines.retrieve", lambda *_, **__: hits)
    answer = list(BASELINES[name](assistant, ITEMS).stream(ITEMS[0].question, (), ["a.txt"]))[-1]
    assert answer.answered
    assert [citation.text for citation in answer.citations] == [quoted]


def test_the_citation_engine_is_asked_through_the_same_model_and_its_markers_counted(assistant):
    assistant.replace_model(scripted("2500 soldats [1][7]."))
    engine = BASELINES["citation-64"](assistant, ITEMS)
    answer = list(engine.stream(ITEMS[0].question, (), ["a.txt"]))[-1]
    assert answer.text == "2500 soldats ."
    assert FIRST in [citation.text for citation in answer.citations]
    assert engine.pointers() == Pointers(1, 2)


def test_markers_in_a_list_are_counted_one_by_one(assistant):
    assistant.replace_model(scripted("2500 soldats [1, 7]."))
    engine = BASELINES["citation-64"](assistant, ITEMS)
    answer = list(engine.stream(ITEMS[0].question, (), ["a.txt"]))[-1]
    assert answer.text == "2500 soldats ."
    assert FIRST in [citation.text for citation in answer.citations]
    assert engine.pointers() == Pointers(1, 2)


def test_without_the_check_a_wrong_number_is_shown_with_it_it_is_replaced(assistant):
    assistant.replace_model(scripted("9999 soldats."))
    asked = (ITEMS[0].question, (), ["a.txt"])
    checked = list(assistant.stream(*asked))[-1]
    unchecked = list(BASELINES["no-check"](assistant, ITEMS).stream(*asked))[-1]
    assert "9999" not in checked.text
    assert unchecked.text == "9999 soldats."
    assert [citation.text for citation in unchecked.citations] == [FIRST]


def test_without_the_check_the_draft_still_points_at_what_it_was_taken_from(assistant, monkeypatch):
    assistant.replace_model(scripted("Il y a 9999 soldats en Irak."))
    hits = tuple(Hit(s, 0.4, 1) for s in assistant.sentences("a.txt")[:2])
    parts = replace(assistant.resources(), selection=Selection((), hits, 1.0))
    monkeypatch.setattr(assistant, "resources", lambda: parts)
    asked = (ITEMS[0].question, (), ["a.txt"])
    unchecked = list(BASELINES["no-check"](assistant, ITEMS).stream(*asked))
    (chosen,) = [event for event in unchecked if isinstance(event, Evidence) and event.chosen]
    assert [citation.text for citation in chosen.citations] == [FIRST, SECOND]
    assert [citation.text for citation in unchecked[-1].citations] == [FIRST]


def test_the_oracle_writes_from_the_gold_sentences_and_refuses_what_has_none(assistant):
    assistant.replace_model(scripted("Yahya Rasoul.", probes=lambda _: says(-5.0)))
    gold = ((len(FIRST) + 1, len(FIRST) + 1 + len(SECOND)),)
    items = (replace(ITEMS[0], evidence=(gold,)), ITEMS[1])
    oracle = BASELINES["oracle"](assistant, items)
    answers = [list(oracle.stream(item.question, (), ["a.txt"]))[-1] for item in items]
    assert [citation.text for citation in answers[0].citations] == [SECOND]
    assert [answer.answered for answer in answers] == [True, False]
    with pytest.raises(KeyError):
        oracle.stream("Une autre ?", (), ["a.txt"])


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
    for part in (part for part in PARTS if not part.reading):
        # The fake's cosines are far below those that «near» is measured in.
        _, far = fit_part(part, many)
        assert {one.confidence for one in far} == {0.0}
        calibration, outcomes = fit_part(replace(part, nearest=-1.0), many)
        assert 0 < calibration.threshold < 1
        if part.probes:
            figures = summary(outcomes)
            assert figures["auroc"] == 1.0
            assert figures["over_refusal"] == 0.0


def test_what_the_same_reader_said_of_the_same_sentences_is_not_asked_again(assistant, tmp_path):
    def reads(prompt):
        text = prompt.messages[-1].content
        likely = {FIRST: 0.9, SECOND: 0.2}.get(text.partition("\n")[0].partition(" : ")[2], 0.6)
        top = (TokenLogprob("La", math.log(likely)), TokenLogprob("Int", math.log(1 - likely)))
        return Reply("La foule.", top=top)

    model = ScriptedModel(default=reads, reads=True)
    resources = replace(assistant.resources(), model=model)

    def read_anew(known, name):
        path = tmp_path / name
        model.prompts.clear()
        collect(resources, model, ITEMS, path, voting=False, known=known)
        assert path.read_text("utf-8") == (tmp_path / "once.jsonl").read_text("utf-8")
        return [prompt.max_tokens for prompt in model.prompts if prompt.slot == "read"]

    asked = read_anew((), "once.jsonl")
    known = load_samples(tmp_path / "once.jsonl")
    assert len({c.probe for sample in known for c in sample.candidates}) > 1
    assert known[0].draft == "La foule."
    assert asked.count(1) > 3
    again = read_anew(known, "again.jsonl")
    assert again.count(1) == 0
    assert len(again) == len([one for one in asked if one > 1]) - sum(bool(s.draft) for s in known)
    elsewhere = [replace(sample, asked="Autre question ?") for sample in known]
    assert read_anew(elsewhere, "other.jsonl") == asked


def test_a_row_that_was_cut_is_collected_again_and_the_others_are_not(assistant, tmp_path):
    path = tmp_path / "features.jsonl"
    resources = assistant.resources()
    collect(resources, resources.model, ITEMS, path, voting=False)
    first, second = path.read_bytes().splitlines()
    path.write_bytes(first + b"\n" + second[: second.index("é".encode()) + 1])  # inside a letter
    assert [sample.id for sample in load_samples(path)] == ["a1"]
    collect(resources, resources.model, ITEMS, path, voting=False)
    assert path.read_bytes().splitlines() == [first, second]
    path.write_bytes(first)  # whole, but for its end of line
    collect(resources, resources.model, ITEMS, path, voting=False)
    assert path.read_bytes().splitlines() == [first, second]


def test_a_broken_row_among_the_features_is_named(tmp_path):
    path = tmp_path / "features.jsonl"
    path.write_text('{"id": "a1"\n{}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"features\.jsonl, line 1"):
        load_samples(path)


def test_features_of_two_models_are_not_mixed_in_a_file(assistant, tmp_path):
    path = tmp_path / "features.jsonl"
    resources = assistant.resources()
    model = resources.model
    model.label = "one"
    collect(resources, model, ITEMS[:1], path, voting=False)
    row = json.loads(path.read_text("utf-8"))
    assert row["model"] == "one"
    model.label = "two"
    with pytest.raises(InputError, match=r"features of 'one', not of 'two'.*another folder"):
        collect(resources, model, ITEMS, path, voting=False)
    del row["model"]
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    collect(resources, model, ITEMS, path, voting=False)
    assert [sample.id for sample in load_samples(path)] == ["a1", "a2"]


def test_a_cheaper_policy_sees_fewer_probes(assistant, tmp_path):
    path = tmp_path / "features.jsonl"
    resources = assistant.resources()
    collect(resources, resources.model, ITEMS[:1], path, voting=False)
    (sample,) = load_samples(path)
    assert sum(c.probe is not None for c in sample.candidates) == 3
    cheap = replace(PARTS[1], probes=1, most=0)
    assert len(replayed(sample, cheap).candidates) == 1


def test_what_was_read_together_counts_only_where_single_sentences_leave_it_open():
    def sample(probe):
        sentence = Sentence("d", 0, 0, 5, "Lundi")
        candidate = Candidate(Hit(sentence, 1.0, 1, 0.9, 1.0), probe=probe)
        return Sample(
            "x", "d", "Quand ?", "answerable", (candidate,), (True,), (), 6.0, together_unvoted=5.0
        )

    voting, alone = PARTS[:2]
    assert (voting.name, alone.name) == ("read", "read-alone")
    assert replayed(sample(1.0), voting).together == 6.0
    assert replayed(sample(1.0), alone).together == 5.0
    assert replayed(sample(4.0), voting).together == 4.0
    assert replayed(sample(-4.0), voting).together == 6.0
    assert replayed(sample(-6.0), voting).together == -6.0


def test_a_part_that_votes_is_fitted_on_what_was_voted_on():
    hit = Hit(Sentence("d", 0, 0, 5, "Lundi"), 1.0, 1, 0.9, 1.0)
    voted, unvoted = (
        Sample("x", "d", "Quand ?", "answerable", (Candidate(hit, 2.0, vote),), (True,), ())
        for vote in (0.9, None)
    )
    assert usable(PARTS[0], [voted, unvoted]) == [voted]
    assert usable(PARTS[1], [voted, unvoted]) == [voted, unvoted]


def test_a_part_is_not_fitted_on_what_lacks_a_probe_that_it_asks_for():
    hits = [Hit(Sentence("d", n, 9 * n, 9 * n + 5, "Lundi"), 1.0, n + 1, 0.9, 1.0) for n in (0, 1)]
    first, second = (Candidate(hit, probe=-1.0) for hit in hits)
    whole, part = (
        Sample("x", "d", "Quand ?", "answerable", (first, other), (True, False), ())
        for other in (second, replace(second, probe=None))
    )
    assert usable(PARTS[1], [whole, part]) == [whole]


def test_a_draft_of_what_was_read_together_says_what_is_cited():
    texts = ("Le pont a rouvert lundi.", "Le bac reste fermé.")
    spans = [(0, 24), (25, 44)]
    hits = [
        Hit(Sentence("d", place, *span, text), 1.0, place + 1, 0.9, 1.0)
        for place, (span, text) in enumerate(zip(spans, texts, strict=True))
    ]
    candidates = tuple(
        Candidate(hit, probe=probe) for hit, probe in zip(hits, (1.0, 0.5), strict=True)
    )
    part = replace(PARTS[0], nearest=-1.0)
    rule = replace(
        calibration_for(None),
        sentence=Logistic({"probe": 1.0}, 0.0),
        answerable=Logistic({"together": 1.0}, 0.0),
        nearest=-1.0,
        also=0.9,
    )

    def cited(draft, cover):
        gold = ((spans[1],),)
        sample = Sample(
            *("x", "d", "Qu’est-ce qui reste fermé ?", "answerable", candidates, (False, True)),
            *(gold, 3.0),
            draft=draft,
        )
        return outcome(replayed(sample, part), replace(rule, cover=cover)).citation_f1

    assert cited("Le bac.", 8.0) == 1.0
    assert cited("Le bac.", 0.0) == cited("", 8.0) == cited("Introuvable.", 8.0) == 0.0


def test_what_is_said_anyway_is_collected_and_tells_right_from_wrong(assistant, tmp_path):
    path = tmp_path / "features.jsonl"
    resources = assistant.resources()
    collect(resources, resources.model, ITEMS[:1], path, voting=False)
    (sample,) = load_samples(path)
    assert sample.answers == ITEMS[0].answers
    assert sample.said.cited == ITEMS[0].evidence[0]
    assert sample.said.features.keys() == {"least", "quoted", "cited", "asked"}

    def made(n, text, least):
        said = sample.said._replace(text=text, features={**sample.said.features, "least": least})
        return replace(sample, id=str(n), document=str(n), said=said)

    part = replace(PARTS[1], probes=3, nearest=-1.0)
    near = replace(sample, kind="unanswerable:near-miss", answers=(), gold_sets=(), said=None)
    samples = [
        one
        for n in range(10)
        for one in (
            made(n, "2500 soldats.", -0.1),
            made(n, "900 soldats.", -2.0),
            replace(near, document=str(n)),
        )
    ]
    fitted, outcomes = fit_part(part, samples)
    assert fitted.right.weights["least"] > 0
    answered = [o for o in outcomes if o.sample.said]
    assert [o.right for o in answered[:2]] == [True, False]
    assert answered[0].certainty > answered[1].certainty
    assert as_data(fitted, {})["right"]["weights"] == fitted.right.weights
    assert "right of what is said" in summary([replace(o, answered=True) for o in answered])


def test_a_model_fits_its_own_parts_or_those_that_are_named():
    assert [part.name for part in parts_for(None, reading=True)] == [
        *("read", "read-alone", "extractive"),
    ]
    assert [part.name for part in parts_for(["read-alone"], reading=True)] == ["read-alone"]
    with pytest.raises(InputError, match="--parts vote: this model fits read, read-alone"):
        parts_for(["vote"], reading=True)


def decided(confidence, kind="answerable"):
    sample = Sample("x", "d", "Quand ?", kind, (), (), ())
    return Outcome(sample, confidence, 1.0, 1, answered=True, first=confidence)


def test_the_threshold_lies_between_the_sides():
    near = "unanswerable:near-miss"
    outcomes = [decided(0.9), decided(0.8), decided(0.3, near), decided(0.1, near)]
    assert 0.3 < best_threshold(outcomes) <= 0.8


def test_a_false_premise_answered_weighs_more_than_a_near_miss():
    def cut(kind):
        sure = [decided(0.9) for _ in range(19)]
        return best_threshold(
            [*sure, decided(0.55), decided(0.6, kind), *[decided(0.1, kind)] * 11]
        )

    assert cut("unanswerable:near-miss") <= 0.55
    assert cut("unanswerable:false-premise") > 0.6


def test_one_bad_kind_of_three_does_not_outweigh_the_answerable_side():
    """Of answers to what has none, each kind is a third."""
    sure = [decided(0.9)] * 19 + [decided(0.5)]
    kinds = ("near-miss", "false-premise", "off-topic")
    off = [decided(0.1, f"unanswerable:{kind}") for kind in kinds for _ in range(9)]
    assert best_threshold([*sure, *off, *[decided(0.6, "unanswerable:near-miss")] * 2]) <= 0.5


def test_one_question_more_does_not_move_the_threshold_to_the_edge():
    sure, no = [decided(0.9)] * 100, [decided(0.1, "unanswerable:near-miss")] * 10
    lost = [decided(0.95, "unanswerable:near-miss")] * 10
    assert best_threshold([*sure, decided(0.3), *no, *lost]) == pytest.approx(0.5, abs=0.02)


def given(certainty, worth=1.0, kind="answerable", *, answered=True):
    return replace(decided(0.9, kind), certainty=certainty, citation_f1=worth, answered=answered)


def test_uncertain_answers_are_given_up_where_they_are_worth_little():
    false = given(0.2, 0.0, "unanswerable:false-premise")
    no = [given(0.0, 0.0, "unanswerable:false-premise", answered=False)] * 60
    sure = [given(0.8)] * 40
    astray = best_certainty([*sure, *[given(0.25, worth=0.0)] * 3, false, *no])
    good = best_certainty([*sure, *[given(0.15)] * 3, false, *no])
    assert 0.2 < astray <= 0.5
    assert good <= 0.15


def test_who_cannot_tell_does_not_refuse_everything():
    outcomes = [decided(0.5), decided(0.4), *[decided(0.6, "unanswerable:off-topic")] * 5]
    assert best_threshold(outcomes) <= 0.4


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
