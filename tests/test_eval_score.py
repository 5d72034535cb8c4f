"""What a prediction is worth: every measure from hand-made answers whose worth is known."""

from dataclasses import replace

import pytest

from fakes import ScriptedEntailment
from qa.entail import Verdict
from qa_eval import judge
from qa_eval.bootstrap import Difference, Figure
from qa_eval.compare import Comparison, render
from qa_eval.data import Item
from qa_eval.figures import by_group, figures
from qa_eval.predictions import Pointer, Pointers, Prediction, Said
from qa_eval.retrieval import rank_scores
from qa_eval.score import Score, score_items

LINES = (
    "La terrasse du café ouvre en mai et compte douze tables.",
    "Le thé coûte 3 euros, le café 2 euros.",
    "Mme Roy dirige l’établissement depuis 2019.",
)
TEXT = "\n".join(LINES)
SPANS = [(TEXT.index(line), TEXT.index(line) + len(line)) for line in LINES]
FIRST, SECOND, THIRD = (Pointer("bar.txt", *span) for span in SPANS)
TEA = Item("tea", "bar.txt", "Prix du thé ?", "answerable", ("3 euros",), ((SPANS[1],),))
BOTH = Item(
    "both", "bar.txt", "Qui dirige, prix du thé ?", "answerable", ("Mme Roy, 3 euros",),
    ((SPANS[1], SPANS[2]),), tags=("multi",),
)  # fmt: skip
FAR = Item("far", "bar.txt", "La capitale du Japon ?", "unanswerable:off-topic")
NEAR = Item("near", "bar.txt", "Prix du vin ?", "unanswerable:near-miss")
WHOLE = Item("whole", "bar.txt", "Résume.", "overview")


def said(item, text, *cited, confidence=0.9, support="supported", **fields):
    return Prediction(
        id=item.id,
        question=item.question,
        answered=True,
        text=text,
        citations=cited,
        confidence=confidence,
        latency_s=2.0,
        first_token_s=1.0,
        computed_tokens=100,
        generated_tokens=10,
        statements=(Said(text, support, cited),),
        after=Pointers(len(cited), len(cited)),
        **fields,
    )


def refused(item, confidence=0.1):
    return Prediction(item.id, item.question, False, "Pas de réponse.", (), confidence)


def values(item, prediction):
    (score,) = score_items([item], [prediction], {"bar.txt": TEXT})
    return score.values


def measured(*pairs):
    items, predictions = zip(*pairs, strict=True)
    found = figures(score_items(items, predictions, {"bar.txt": TEXT}), rounds=20)
    return {name: figure.value for name, figure in found.items()}


def test_a_right_answer_is_worth_one_everywhere():
    worth = values(TEA, said(TEA, "3 euros.", SECOND))
    for name in ("citation_f1", "sufficient", "exact_set", "containment", "token_f1", "right"):
        assert worth[name] == 1.0, name
    assert worth["over_refusal"] == 0.0


def test_half_the_evidence_is_neither_sufficient_nor_right():
    worth = values(BOTH, said(BOTH, "Mme Roy, 3 euros.", SECOND))
    assert worth["citation_precision"] == 1.0
    assert worth["citation_recall"] == 0.5
    assert worth["sufficient"] == worth["right"] == 0.0


def test_a_refusal_of_an_answerable_question_is_worth_nothing():
    worth = values(TEA, refused(TEA))
    for name in ("citation_f1", "containment", "token_f1", "exact_match", "right", "overall"):
        assert worth[name] == 0.0, name
    assert worth["over_refusal"] == 1.0
    assert "citation_f1_answered" not in worth


def test_citations_of_a_refusal_are_worth_nothing():
    worth = values(TEA, replace(refused(TEA), citations=(SECOND,)))
    for name in ("citation_precision", "citation_recall", "citation_f1", "cited", "sufficient"):
        assert worth[name] == 0.0, name
    assert worth["cited_right"] == worth["exact_set"] == 0.0


def test_the_same_offsets_in_another_document_are_no_evidence():
    texts = {"bar.txt": TEXT, "other.txt": TEXT}
    made = said(TEA, "3 euros.", Pointer("other.txt", *SPANS[1]))
    (score,) = score_items([TEA], [made], texts)
    assert score.values["citation_f1"] == 0.0


def test_micro_averages_weigh_citations_and_macro_averages_questions():
    figures = measured(
        (TEA, said(TEA, "3 euros.", SECOND)), (BOTH, said(BOTH, "3 euros.", FIRST, SECOND, THIRD))
    )
    assert figures["citation_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert figures["citation_precision_micro"] == pytest.approx(3 / 4)
    assert figures["citation_recall_micro"] == 1.0
    assert figures["citation_f1_micro"] == pytest.approx(2 * 0.75 / 1.75)
    assert figures["citations_per_question"] == 2.0


def test_abstention_is_scored_on_both_sides_and_by_kind():
    figures = measured(
        (TEA, said(TEA, "3 euros.", SECOND)),
        (TEA, said(TEA, "3 euros.", SECOND)),
        (BOTH, refused(BOTH, 0.2)),
        (NEAR, said(NEAR, "3 euros.", SECOND, confidence=0.6)),
        (NEAR, said(NEAR, "3 euros.", SECOND, confidence=0.6)),
        (NEAR, refused(NEAR, 0.05)),
        (FAR, refused(FAR, 0.05)),
    )
    assert figures["abstention_precision"] == pytest.approx(2 / 3)
    assert figures["abstention_recall"] == pytest.approx(2 / 4)
    assert figures["abstention_f1"] == pytest.approx(2 * 2 / (3 + 4))
    assert figures["balanced_accuracy"] == pytest.approx((2 / 3 + 2 / 4) / 2)
    assert figures["over_refusal"] == pytest.approx(1 / 3)
    assert figures["refused_near_miss"] == pytest.approx(1 / 3)
    assert figures["refused_off_topic"] == 1.0
    assert figures["auroc"] == pytest.approx((4 + 4 + 2) / 12)
    assert figures["auroc_near_miss"] == pytest.approx((3 + 3 + 1) / 9)
    assert figures["overall"] == pytest.approx((1 + 1 + 0 + 0 + 0 + 1 + 1) / 7)


def test_an_answered_unanswerable_question_is_a_risk_and_a_refused_one_no_right_answer():
    figures = measured(
        (TEA, said(TEA, "3 euros.", SECOND, confidence=0.9)),
        (NEAR, said(NEAR, "3 euros.", SECOND, confidence=0.8)),
        (FAR, refused(FAR, 0.1)),
        (BOTH, said(BOTH, "Mme Roy, 3 euros.", SECOND, THIRD, confidence=0.7)),
    )
    assert figures["accuracy@50"] == 0.5
    assert figures["accuracy@100"] == 0.5
    assert figures["coverage@95"] == 0.25
    assert figures["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_calibration_is_of_the_answer_being_right_and_apart_of_there_being_one():
    figures = measured(
        (TEA, said(TEA, "9 euros.", SECOND, confidence=1.0)),
        (FAR, refused(FAR, 0.0)),
    )
    assert (figures["ece"], figures["ece_answered"]) == (0.5, 1.0)
    assert figures["ece_answerable"] == 0.0


def test_an_answered_unanswerable_question_is_a_wrong_answer_and_a_refused_one_none():
    figures = measured(
        (TEA, said(TEA, "3 euros.", SECOND, confidence=1.0)),
        (NEAR, said(NEAR, "3 euros.", SECOND, confidence=1.0)),
        (FAR, refused(FAR, 0.3)),
        (BOTH, refused(BOTH, 0.3)),
    )
    assert figures["ece_answered"] == 0.5
    assert figures["ece"] == pytest.approx((2 * 0.5 + 2 * 0.3) / 4)


def test_pointers_are_counted_before_and_after_repair():
    made = replace(said(TEA, "3 euros.", SECOND), before=Pointers(1, 4), after=Pointers(2, 2))
    figures = measured((TEA, made))
    assert figures["pointer_validity_before"] == 0.25
    assert figures["pointer_validity"] == 1.0


def test_statements_are_held_against_the_sentences_they_cite():
    wrong_number = replace(
        said(TEA, "Le thé coûte 4 euros.", SECOND),
        draft="Le thé coûte 4 euros.",
    )
    figures = measured((TEA, wrong_number), (BOTH, said(BOTH, "Le thé coûte 3 euros.", SECOND)))
    assert figures["number_fidelity"] == 0.5
    assert figures["coverage"] == 1.0
    assert figures["groundedness"] == 0.5
    assert figures["support_recall"] == 0.5
    assert figures["quoted_instead"] == 0.0


def test_an_answer_is_repaired_when_more_is_cited_than_was_given_or_a_quotation_stands_in():
    whole = said(TEA, "3 euros.", SECOND, draft="3 euros.", chosen=(SECOND, THIRD))
    widened = replace(whole, chosen=(THIRD,))
    quoted = said(TEA, "« Le thé… »", SECOND, support="quoted", draft="9.", chosen=(SECOND,))
    figures = measured((TEA, whole), (TEA, widened), (TEA, quoted), (TEA, said(TEA, "3", SECOND)))
    assert figures["repaired"] == pytest.approx(2 / 3)
    assert figures["quoted_instead"] == pytest.approx(1 / 3)


def test_an_answer_without_citation_lowers_coverage():
    bare = replace(said(TEA, "3 euros."), statements=())
    assert measured((TEA, bare))["coverage"] == 0.0


def test_a_statement_may_be_grounded_elsewhere_than_it_cites():
    made = said(TEA, "Mme Roy dirige l’établissement.", SECOND)
    figures = measured((TEA, made))
    assert figures["support_recall"] == 0.0
    assert figures["groundedness"] == 1.0


def test_an_overview_needs_statements_support_and_two_thirds_of_the_paragraphs():
    statements = tuple(
        Said(line, "quoted", (pointer,))
        for line, pointer in zip(LINES, (FIRST, SECOND, THIRD), strict=True)
    )
    full = replace(said(WHOLE, "…", FIRST, SECOND, THIRD), statements=statements)
    figures = measured((WHOLE, full))
    assert figures["overview_answered"] == figures["overview_3_to_6"] == 1.0
    assert figures["overview_supported"] == figures["overview_pointers"] == 1.0
    assert figures["overview_paragraphs"] == figures["overview_two_thirds"] == 1.0
    short = replace(said(WHOLE, "…", FIRST), statements=statements[:1])
    figures = measured((WHOLE, short))
    assert figures["overview_3_to_6"] == figures["overview_two_thirds"] == 0.0
    assert figures["overview_paragraphs"] == pytest.approx(1 / 3)
    assert "confidence" not in values(WHOLE, full)


def test_paragraphs_are_blocks_where_there_are_blank_lines_and_headings_are_none():
    text = f"Un titre\n\n{LINES[0]}\n{LINES[1]}\n\n{LINES[2]}"
    at = text.index(LINES[0])
    made = said(WHOLE, "…", Pointer("bar.txt", at, at + len(LINES[0])))
    (score,) = score_items([WHOLE], [made], {"bar.txt": text})
    assert score.values["overview_paragraphs"] == 0.5


def test_a_refused_overview_is_not_answered():
    assert measured((WHOLE, refused(WHOLE)))["overview_answered"] == 0.0


def test_kinds_and_tags_have_rows_of_their_own():
    pairs = [(TEA, said(TEA, "3 euros.", SECOND)), (BOTH, refused(BOTH)), (FAR, refused(FAR))]
    items, predictions = zip(*pairs, strict=True)
    rows = by_group(score_items(items, predictions, {"bar.txt": TEXT}), rounds=20)
    assert list(rows) == ["answerable", "multi", "unanswerable:off-topic"]
    assert rows["multi"]["citation_f1"].value == 0.0
    assert rows["answerable"]["citation_f1"].value == 0.5
    assert rows["answerable"]["citation_f1"].n == 2
    assert rows["unanswerable:off-topic"]["refused"].value == 1.0


def test_overviews_have_a_row_too():
    pairs = [(WHOLE, said(WHOLE, LINES[0], FIRST)), (WHOLE, refused(WHOLE))]
    items, predictions = zip(*pairs, strict=True)
    row = by_group(score_items(items, predictions, {"bar.txt": TEXT}), rounds=20)["overview"]
    assert {name: (figure.value, figure.n) for name, figure in row.items()} == {
        "refused": (0.5, 2),
        "support_recall": (1.0, 1),
    }


def test_what_is_right_is_told_by_what_the_page_calls_the_confidence():
    right = [said(TEA, "3 euros.", SECOND, confidence=given) for given in (0.95, 0.8, 0.6)]
    wrong = [said(TEA, "2 euros.", FIRST, confidence=given) for given in (0.79, 0.59)]
    answered = said(FAR, "Tokyo.", FIRST, confidence=0.85)
    pairs = [*((TEA, one) for one in (*right, *wrong)), (FAR, answered), (TEA, refused(TEA))]
    found = measured(*pairs)
    assert found["right_high_confidence"] == pytest.approx(2 / 3)
    assert found["right_medium_confidence"] == 0.5
    assert found["right_low_confidence"] == 0.0


def test_no_interval_is_given_where_all_that_counts_is_of_one_document():
    scores = [
        Score("a", "one.txt", "answerable", (), {"citation_f1": 0.5, "R@5": 1.0}),
        Score("b", "one.txt", "answerable", (), {"citation_f1": 1.0, "R@5": 0.0}),
        Score("c", "two.txt", "answerable", (), {"R@5": 1.0}),
    ]
    found = figures(scores, rounds=20)
    assert found["citation_f1"] == Figure(0.75, None, None, 2)
    assert found["R@5"].low is not None


def test_what_only_describes_is_never_better():
    sure = Difference(1.0, 2.0, 1.0, 0.5, 1.5, 0.01)
    names = ("citation_f1", "over_refusal", "citations_per_question", "repaired")
    shown = render(Comparison("a", "b", 9, 9, 0, dict.fromkeys(names, sure))).splitlines()
    verdicts = {
        row.split()[0]: row.rpartition("0.010")[2].strip() for row in shown if "0.010" in row
    }
    assert verdicts == {
        "citation_f1": "B better",
        "over_refusal": "A better",
        "citations_per_question": "",
        "repaired": "",
    }


def test_a_figure_says_of_how_many_questions_it_is():
    pairs = [(TEA, said(TEA, "3 euros.", SECOND)), (FAR, refused(FAR)), (WHOLE, refused(WHOLE))]
    items, predictions = zip(*pairs, strict=True)
    found = figures(score_items(items, predictions, {"bar.txt": TEXT}), rounds=20)
    assert found["citation_f1"].n == 1
    assert found["auroc"].n == found["coverage@95"].n == 2
    assert found["overview_answered"].n == 1
    assert "refused_near_miss" not in found


def test_one_kind_against_the_answerable_ones_is_of_those_two_alone():
    pairs = [(TEA, said(TEA, "3 euros.", SECOND)), (FAR, refused(FAR)), (NEAR, refused(NEAR))]
    items, predictions = zip(*pairs, strict=True)
    found = figures(score_items(items, predictions, {"bar.txt": TEXT}), rounds=20)
    assert (found["auroc"].n, found["auroc_near_miss"].n) == (3, 2)


def test_whole_documents_are_drawn_for_an_interval_over_all_questions_and_of_a_group():
    """With questions drawn one by one, .5 ± .22 would be seen of two documents 1 and 0."""
    scores = [
        Score(f"{document}{n}", document, "answerable", (), {"citation_f1": value})
        for document, value in (("good.txt", 1.0), ("bad.txt", 0.0))
        for n in range(10)
    ]
    found = figures(scores, rounds=200)["citation_f1"]
    group = by_group(scores, rounds=200)["answerable"]["citation_f1"]
    for figure in (found, group):
        assert (figure.low, figure.value, figure.high) == (0.0, 0.5, 1.0)


def test_costs_are_given_at_the_median_and_the_95th_percentile():
    made = [replace(said(TEA, "x", SECOND), latency_s=float(n)) for n in range(101)]
    found = measured(*((TEA, one) for one in made), (FAR, refused(FAR)))
    assert found["latency_s_p50"] == pytest.approx(50, abs=1)
    assert found["latency_s_p95"] == pytest.approx(95, abs=1)
    assert found["first_statement_s_p50"] == 1.0  # a refusal shows no statement
    assert found["computed_tokens_p50"] == 100


def test_retrieval_takes_the_alternative_that_is_placed_best():
    found = rank_scores([["a", "b", "c"], ["a"]], [[("z",), ("b", "c")], [("q",)]])
    assert (found[0]["RR"], found[0]["R@1"], found[0]["R@3"], found[0]["all@3"]) == (0.5, 0, 1, 1)
    assert set(found[1].values()) == {0.0}


def test_retrieval_figures_come_from_the_predictions():
    found = replace(said(TEA, "3 euros.", SECOND), retrieved=(FIRST, SECOND), retrieved_raw=())
    figures = measured((TEA, found))
    assert (figures["MRR"], figures["R@1"], figures["R@3"]) == (0.5, 0.0, 1.0)
    assert "MRR" not in measured((TEA, said(TEA, "3 euros.", SECOND)))


@pytest.mark.parametrize(
    ("statement", "source", "holds"),
    [
        ("Douze tables.", "La terrasse compte 12 tables.", True),
        ("3,5 millions d’euros", "3 500 000 €", True),
        ("Il y en a 13.", "Il y en a 12.", False),
        ("Le 13 mars", "Le 12 mars", False),
        ("Le G7 à 12h30", "À 12h30, le G7", True),
        ("Le G8", "Le G7", False),
        ("1 200,50 €", "1200,50 €", True),
    ],
)
def test_the_judge_reads_numbers_in_figures_and_words(statement, source, holds):
    assert judge.numbers_hold(statement, source) is holds


def test_the_judge_finds_a_name_that_the_source_lacks():
    assert judge.names_hold("Elle est dirigée par Mme Roy.", LINES[2])
    assert not judge.names_hold("Elle est dirigée par Mme Dupont.", LINES[2])


def test_a_citation_that_adds_nothing_is_irrelevant():
    assert judge.Judge().support("Le thé coûte 3 euros.", [LINES[1], LINES[2]]) == (1.0, 0.5)
    assert judge.Judge().support("Le thé coûte 3 euros.", [LINES[2]]) == (0.0, 0.0)
    together = "Mme Roy dirige l’établissement ; le thé coûte 3 euros."
    assert judge.Judge().support(together, [LINES[1], LINES[2]]) == (1.0, 1.0)


def test_an_entailment_model_judges_what_holds_the_numbers():
    yes = ScriptedEntailment(Cette=Verdict(0.8, 0.1), Le=Verdict(0.3, 0.1))
    by_model, by_words = judge.Judge(yes), judge.Judge()
    assert by_model.support("Cette boisson est abordable.", [LINES[1]]) == (1.0, 1.0)
    assert by_words.support("Cette boisson est abordable.", [LINES[1]]) == (0.0, 0.0)
    assert by_words.entails(LINES[1], "Le thé coûte 3 euros.")
    assert not by_model.entails(LINES[1], "Le thé coûte 3 euros.")
    asked = len(yes.pairs)
    assert not by_model.entails(LINES[1], "Cette boisson coûte 9 euros.")
    assert len(yes.pairs) == asked
