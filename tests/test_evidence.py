import math
from dataclasses import replace

import pytest

from fakes import Reply, ScriptedModel
from qa.calibration import Calibration, Logistic, calibration_for, is_fitted, load_calibrations
from qa.errors import PromptTooLong
from qa.evidence import (
    Candidate,
    Overall,
    heard,
    left_open,
    policy,
    question_features,
    read_together,
    select,
)
from qa.llm.meter import Meter
from qa.prompt import number_document
from qa.types import Document, Hit, Sentence, Token, TokenLogprob, Usage
from qa.witnesses import answer_odds, log_odds, probe, vote

TEXTS = ("Le maire parle.", "La foule écoute.", "Le préfet part.")
SENTENCES = tuple(Sentence("a.txt", i, 20 * i, 20 * i + len(t), t) for i, t in enumerate(TEXTS))
HITS = tuple(Hit(s, 2.0 - i, i + 1, 0.8, 1.0) for i, s in enumerate(SENTENCES))
RULE = Calibration(
    Logistic({"score": 0.6, "probe": 1.0, "voted": 1.0}, -2.0),
    Logistic({"top_probe": 2.0}, 0.0),
    threshold=0.5,
    also=0.8,
    probes=2,
    sure_probe=3.0,
    fitted={},
)
NUMBERED = number_document(Document("a.txt", "t", " ".join(TEXTS)), SENTENCES, "fr")


def says(odds):
    yes = 1 / (1 + math.exp(-odds))
    top = (TokenLogprob("O", math.log(yes)), TokenLogprob("Non", math.log(1 - yes)))
    return Reply("O" if odds > 0 else "Non", top=top)


def test_log_odds_add_up_the_beginnings_of_each_word_and_nothing_else():
    top = (
        TokenLogprob("O", math.log(0.3)),
        TokenLogprob(" oui", math.log(0.1)),
        TokenLogprob("N", math.log(0.05)),
        TokenLogprob("Non", math.log(0.15)),
        TokenLogprob("Yes", math.log(0.2)),
        TokenLogprob("On", math.log(0.1)),
        TokenLogprob("", math.log(0.05)),
    )
    assert log_odds(top, "O", "fr") == pytest.approx(math.log(0.4 / 0.2), abs=1e-6)


@pytest.mark.parametrize(("text", "sign"), [("Oui", 1), ("O", 1), ("Non", -1), ("Peut-être", 0)])
def test_without_logprobs_the_word_itself_decides(text, sign):
    odds = log_odds((), text, "fr")
    assert (odds > 0) - (odds < 0) == sign


def test_a_vote_outside_the_document_is_dropped():
    ask = Meter(ScriptedModel(['{"ids": [2, 99, 0]}']))
    assert dict(vote("Qui écoute ?", NUMBERED, ask).probability) == {1: 1.0}


def test_a_probe_is_asked_alone_or_after_the_documents_prefix():
    model = ScriptedModel([says(1.0), says(1.0)])
    ask = Meter(model)
    probe("Qui ?", TEXTS[0], "fr", ask)
    probe("Qui ?", TEXTS[0], "fr", ask, inside=NUMBERED)
    assert "La foule" not in model.prompts[0].messages[0].content
    assert model.prompts[1].messages[0] == NUMBERED.prefix[0]
    assert [prompt.slot for prompt in model.prompts] == ["probe", "document"]


def test_the_voted_and_probed_sentence_beats_the_first_hit():
    model = ScriptedModel(['{"ids":[2]}', says(2.5), says(-2.0)])
    selection = select("Qui écoute ?", HITS, RULE, Meter(model), numbered=NUMBERED)
    assert [hit.sentence.text for hit in selection.chosen] == ["La foule écoute."]
    assert selection.confidence > 0.9


def test_a_voted_sure_first_hit_is_probed_alone():
    model = ScriptedModel(['{"ids":[1]}', says(4.0)])
    selection = select("Qui parle ?", HITS, RULE, Meter(model), numbered=NUMBERED)
    assert len(model.prompts) == 2
    assert selection.chosen[0].sentence.text == "Le maire parle."


def test_low_probes_abstain():
    model = ScriptedModel([says(-3.0), says(-4.0)])
    selection = select("Où est Tokyo ?", HITS, RULE, Meter(model))
    assert selection.chosen == ()
    assert selection.confidence < 0.1


def test_two_sure_sentences_are_both_chosen():
    model = ScriptedModel(['{"ids":[1,2]}', says(6.0), says(6.0)])
    selection = select("Qui parle et qui écoute ?", HITS, RULE, Meter(model), numbered=NUMBERED)
    assert {hit.sentence.index for hit in selection.chosen} == {0, 1}


def test_without_a_model_retrieval_decides_and_no_hit_abstains():
    assert select("Qui ?", (), RULE, None).chosen == ()
    assert select("Qui ?", HITS, RULE, None).candidates[0].probe is None


def test_a_document_that_was_cut_costs_the_vote_and_is_named():
    model = ScriptedModel([PromptTooLong("read 100 of 900"), says(3.0), says(-1.0)])
    selection = select("Qui parle ?", HITS, RULE, Meter(model), numbered=NUMBERED)
    assert selection.chosen[0].sentence.index == 0
    assert "read 100 of 900" in selection.notices[0]


def test_the_policy_probes_votes_and_the_best_hits_only():
    asked = []
    candidates = [*select("Qui ?", HITS, RULE, None).candidates]

    def ask(candidate):
        asked.append(candidate.hit.rank)
        return 0.0

    policy(candidates, replace(RULE, probes=2, sure_probe=9.0), ask)
    assert asked == [1, 2]


@pytest.mark.parametrize(("odds", "asked"), [([-1, -1, 2, 9], 3), ([-1, -1, -1, -1], 4), ([1], 1)])
def test_further_hits_are_probed_while_no_probe_says_yes(odds, asked):
    hits = [replace(HITS[0], sentence=replace(HITS[0].sentence, index=n), rank=n + 1)
            for n in range(6)]  # fmt: skip
    answers = iter(odds)
    rule = replace(RULE, probes=1, most_probes=4, yes_probe=0.0)
    done = policy([Candidate(hit) for hit in hits], rule, lambda c: float(next(answers)))
    assert len(done) == asked


@pytest.mark.parametrize(
    ("odds", "asked"), [([-3, -1, 9, 9], 2), ([-3, 1, 2, 3], 4), ([-3, 1, 5, 9], 3), ([5, 9], 1)]
)
def test_after_the_foremost_further_hits_are_probed_only_while_one_says_a_weak_yes(odds, asked):
    hits = [replace(HITS[0], sentence=replace(HITS[0].sentence, index=n), rank=n + 1)
            for n in range(6)]  # fmt: skip
    answers = iter(odds)
    rule = replace(RULE, probes=1, most_probes=4, yes_probe=4.0, least_probe=0.0)
    done = policy([Candidate(hit) for hit in hits], rule, lambda c: float(next(answers)))
    assert len(done) == asked


def test_the_confidence_sees_names_and_numbers_that_the_best_sentence_does_not_hold():
    texts = ("En 2015, Paul Lefort gagna.", "En 2017, personne ne gagna.")
    candidates = [
        Candidate(
            Hit(Sentence("a.txt", n, 30 * n, 30 * n + len(text), text), 2.0 - n, n + 1, 0.9, 1.0),
            probe=probe,
            vote=vote,
            probability=probability,
        )
        for n, (text, probe, vote, probability) in enumerate(
            zip(texts, (1.0, 3.0), (0.9, None), (0.8, 0.2), strict=True)
        )
    ]
    seen = question_features("Paul Lefort a-t-il gagné en 2017 ?", candidates, Overall())
    assert (seen["unnamed"], seen["undated"], seen["missing"]) == (0.0, 1.0, 0.0)
    assert seen["voted"] == 1.0
    other = question_features("En 2015, est-ce que Jean Lefort a gagné ?", candidates, Overall())
    assert (other["unnamed"], other["undated"]) == (0.5, 0.0)


def test_the_shipped_models_name_known_features_and_say_where_they_come_from():
    for name, part in load_calibrations().items():
        assert part.fitted, name
        assert 0 < part.threshold < 1
        selection = select("Qui parle ?", HITS, part, None)
        assert 0 <= selection.confidence <= 1


def test_each_kind_of_model_is_compared_with_its_own_fit(monkeypatch):
    parts = load_calibrations()
    vote = replace(parts["vote"], fitted={"model": "another"})
    monkeypatch.setattr("qa.calibration.load_calibrations", lambda: {**parts, "vote": vote})
    label = str(parts["read"].fitted["model"])
    assert is_fitted(label, reading=True)
    assert not is_fitted(label)
    assert is_fitted("another")
    assert not is_fitted("", reading=True)
    encoder = str(parts["read"].fitted["encoder"])
    assert calibration_for(label, encoder, voting=True, reading=True) is parts["read"]
    assert calibration_for("another", voting=True).fitted is vote.fitted


def test_a_model_that_nothing_was_fitted_on_gets_the_conservative_rule():
    assert not is_fitted("some other model")
    conservative, extractive = (load_calibrations()[n] for n in ("conservative", "extractive"))
    encoder = str(extractive.fitted["encoder"])
    assert calibration_for("some other model", encoder) is conservative
    assert calibration_for(None, encoder) is extractive


def test_cosines_of_another_encoder_refuse_nothing():
    fitted = load_calibrations()["extractive"]
    assert fitted.nearest > 0
    assert calibration_for(None, "another encoder") == replace(fitted, nearest=0.0)


def test_where_nothing_is_near_no_model_is_asked_and_nothing_chosen():
    part = replace(load_calibrations()["conservative"], nearest=0.8)
    far = [replace(one, dense=0.79) for one in HITS]
    asked = Meter(ScriptedModel([]))
    selection = select("Quel temps fait-il ?", far, part, asked)
    assert (selection.chosen, selection.confidence) == ((), 0.0)
    assert [c.hit for c in selection.candidates] == far


class Spelled(ScriptedModel):
    """A model that votes token by token, as real ones do, with alternatives for the numbers."""

    def stream(self, prompt):
        digits = (TokenLogprob("2", math.log(0.6)), TokenLogprob("1", math.log(0.2)))
        empty = TokenLogprob("]}", math.log(0.1))
        yield Token('{"ids":[', (TokenLogprob('{"', -0.1),))
        yield Token("2", (*digits, empty, TokenLogprob("x", math.log(0.1))))
        yield Token(",")
        yield Token("1", (TokenLogprob("1", -0.1),))
        yield Token("]}", usage=Usage(), finish="stop")


def test_a_votes_probability_is_read_from_the_first_digit():
    votes = vote("Qui écoute ?", NUMBERED, Meter(Spelled()))
    assert votes.probability == {1: pytest.approx(0.6 / 0.9), 0: 1.0}


@pytest.mark.parametrize(
    ("said", "language", "refuses"),
    [("Int", "fr", True), ("Un", "en", True), ("UN", "en", False), ("U", "en", False)],
)
def test_only_what_begins_the_word_of_refusal_refuses(said, language, refuses):
    top = (TokenLogprob(said, math.log(0.9)), TokenLogprob("Le", math.log(0.1)))
    assert (answer_odds(top, said, language) < 0) is refuses
    assert (answer_odds((), said, language) < 0) is refuses


def test_numbers_of_several_digits_are_put_together():
    many = [Sentence("a.txt", n, 20 * n, 20 * n + 5, f"Mot {n}.") for n in range(14)]
    numbered = number_document(Document("a.txt", "t", "x" * 300), many, "fr")

    class TwoDigits(ScriptedModel):
        def stream(self, prompt):
            for text in ('{"', "ids", '":[', "1", "3", ",", "2", "]}"):
                yield Token(text)
            yield Token("", usage=Usage(), finish="stop")

    assert set(vote("Qui ?", numbered, Meter(TwoDigits())).probability) == {12, 1}


def spoken(*tokens):
    """A model that votes in these pieces, whatever is asked."""

    class Spoken(ScriptedModel):
        def stream(self, prompt):
            yield from (token if isinstance(token, Token) else Token(token) for token in tokens)

    return Meter(Spoken())


def test_a_bracket_that_the_server_held_back_does_not_part_a_number():
    """Ollama's parser of some models keeps a «[» until it knows that no tool call begins."""
    many = [Sentence("a.txt", n, 20 * n, 20 * n + 5, f"Mot {n}.") for n in range(30)]
    numbered = number_document(Document("a.txt", "t", "x" * 700), many, "fr")
    top = tuple(TokenLogprob(text, math.log(share)) for text, share in (("2", 0.6), ("1", 0.2)))
    ask = spoken('{"ids":', "", Token("[2", top), Token("1", (TokenLogprob("1", -0.1),)), "]}")
    assert vote("Qui ?", numbered, ask).probability == {20: pytest.approx(0.75)}


def trained(*tokens):
    """A model that was trained to vote and says this; its prompts."""

    class Trained(ScriptedModel):
        def stream(self, prompt):
            self.prompts.append(prompt)
            yield from tokens

    return Trained(reads=True)


def likely(text, *shares):
    top = tuple(TokenLogprob(option, math.log(share)) for option, share in shares)
    return Token(text, top)


MANY = number_document(
    Document("a.txt", "t", "x" * 700),
    [Sentence("a.txt", n, 20 * n, 20 * n + 5, f"Mot {n}.") for n in range(30)],
    "fr",
)


def test_a_trained_vote_is_as_likely_as_all_its_digits():
    first = likely("2", ("2", 0.6), ("0", 0.1), ("1", 0.1))
    model = trained(first, likely("1", ("1", 0.5), ("4", 0.5)), Token(","), Token("3"))
    votes = vote("Qui ?", MANY, Meter(model))
    assert votes.probability == {20: pytest.approx(0.75 * 0.5), 2: 1.0}
    assert votes.none == pytest.approx(math.log((0.1 / 0.8) / (0.7 / 0.8)))
    (prompt,) = model.prompts
    assert prompt.schema is None
    assert prompt.begun.endswith("[")


def test_a_trained_vote_for_no_sentence_names_one_all_the_same_and_is_asked_once():
    first = likely("1", ("0", 0.8), ("1", 0.15), ("]", 0.05))
    rest = likely("2", ("2", 0.9), ("]", 0.1))
    model = trained(first, rest, Token(","), Token("7"))
    votes = vote("Qui ?", MANY, Meter(model))
    assert votes.probability == {11: pytest.approx(0.15 * 0.9)}
    assert votes.none == pytest.approx(math.log(4))
    assert len(model.prompts) == 1


def test_a_trained_vote_counts_how_likely_the_number_ends_there():
    end = likely("]}", ("]}", 0.7), ("4", 0.2), (",", 0.1))
    votes = vote("Qui ?", MANY, Meter(trained(likely("2", ("2", 0.9), ("0", 0.1)), end)))
    assert votes.probability == {1: pytest.approx(0.9 * 0.8)}


def test_a_trained_vote_names_two_sentences_at_most():
    votes = vote("Qui ?", MANY, Meter(trained(*map(Token, ("4", ",", "7", ",", "9", "]}")))))
    assert set(votes.probability) == {3, 6}


def test_a_trained_vote_names_no_sentence_that_is_not_there():
    votes = vote("Qui ?", MANY, Meter(trained(Token("9"), Token("9"), Token(","), Token("3"))))
    assert set(votes.probability) == {2}


def test_a_trained_vote_without_log_probabilities_tells_nothing_of_no_sentence():
    votes = vote("Qui ?", MANY, Meter(trained(Token("3"))))
    assert (dict(votes.probability), votes.none) == ({2: 1.0}, 0.0)


@pytest.mark.parametrize("said", ["Phrase ① et ③", "40 m²", "٢", "[²]"])
def test_digits_that_number_no_sentence_are_no_votes(said):
    assert not {0, 1} & set(vote("Qui ?", NUMBERED, spoken(*said)).probability)


def test_a_model_that_reads_is_asked_the_persons_own_question_of_each_passage():
    def reply(prompt):
        user = prompt.messages[-1].content
        likely = 0.9 if "La foule" in user else 0.1
        top = (TokenLogprob("La", math.log(likely)), TokenLogprob("Unknown", math.log(1 - likely)))
        return Reply("La", top=top)

    model = ScriptedModel(default=reply, reads=True)
    selection = select("Qui écoute ?", HITS, RULE, Meter(model), asked="Who listens, and how?")
    assert [hit.sentence.text for hit in selection.chosen] == ["La foule écoute."]
    assert {prompt.slot for prompt in model.prompts} == {"read"}
    assert {prompt.max_tokens for prompt in model.prompts} == {1}
    assert all("Who listens, and how?" in p.messages[-1].content for p in model.prompts)


def reader(alone, together):
    """Return a model that answers with these probabilities from one sentence, and from several."""

    def reply(prompt):
        likely = together if prompt.messages[-1].content.count("\n") > 1 else alone
        refuses = TokenLogprob("Introuvable", math.log(1 - likely))
        return Reply("La foule", top=(TokenLogprob("La", math.log(likely)), refuses))

    return ScriptedModel(default=reply, reads=True)


@pytest.mark.parametrize(
    ("alone", "together", "asked", "chosen"),
    [
        (0.8, 0.9, 3, True),
        (0.8, 0.01, 3, False),
        (0.99, 0.01, 2, True),  # sure by itself
        (0.01, 0.99, 3, True),  # a no by itself is not the last word
        (0.001, 0.99, 2, False),  # a plain no is
    ],
)
def test_where_single_sentences_leave_it_open_they_are_read_together(
    alone, together, asked, chosen
):
    rule = replace(RULE, answerable=Logistic({"top_probe": 0.5, "together": 1.0}, -1.0))
    model = reader(alone, together)
    selection = select("Qui écoute ?", HITS, rule, Meter(model))
    assert len(model.prompts) == asked
    assert bool(selection.chosen) == chosen
    if asked == 3:
        assert "\n".join(TEXTS) in model.prompts[-1].messages[-1].content
    unheeding = select("Qui écoute ?", HITS, RULE, Meter(reader(alone, 0.01)))
    assert bool(unheeding.chosen) == (alone > 0.5)


@pytest.mark.parametrize(
    ("probe", "absent", "open_"),
    [
        (2.4, 0.0, True),
        (2.5, 0.0, False),  # sure to answer
        (-5.9, 0.0, True),
        (-6.0, 0.0, False),  # sure not to
        (-3.0, 3.0, False),  # and the vote agrees
        (-8.0, -3.0, False),  # a vote for a sentence opens nothing
        (2.4, 8.0, True),
    ],
)
def test_probes_and_vote_leave_open_whether_there_is_an_answer(probe, absent, open_):
    candidates = [Candidate(replace(HITS[0], rank=1), probe=probe)]
    assert left_open(candidates, absent) is open_


def test_the_best_and_the_voted_are_read_together_in_their_order_and_not_too_many():
    texts = ["x" * 1000, "b", "c", "d", "e", "f", "g"]
    hits = [
        Hit(Sentence("a.txt", 9 - rank, 0, len(text), text), 1.0, rank, 0.9, 1.0)
        for rank, text in enumerate(texts, start=1)
    ]
    candidates = [Candidate(hit, vote=0.9 if hit.rank == 7 else None) for hit in hits]
    assert [s.index for s in read_together(candidates)] == [2, 4, 5, 6, 7, 8]
    long = [
        replace(c, hit=replace(c.hit, sentence=replace(c.hit.sentence, text="x" * 1000)))
        for c in candidates
    ]
    assert [s.index for s in read_together(long)] == [2, 8]
    longest = replace(long[0].hit.sentence, text="x" * 9000)
    assert read_together([replace(long[0], hit=replace(long[0].hit, sentence=longest))]) == [
        longest
    ]


@pytest.mark.parametrize(
    ("alone", "together", "several", "weight", "cover", "given"),
    [
        (0.8, 0.9, False, 1.0, 8.0, True),  # left open, and heard to answer
        (0.8, 0.4, False, 1.0, 8.0, False),  # it would refuse
        (0.8, 0.9, False, 1.0, 0.0, False),  # a model that nothing was fitted for
        (0.99, 0.9, False, 1.0, 8.0, False),  # one sentence is sure by itself
        (0.99, 0.9, False, 0.1, 8.0, True),  # there is an answer, but which sentence holds it?
        (0.99, 0.9, True, 1.0, 8.0, True),  # two things are asked
        (0.001, 0.9, True, 1.0, 8.0, False),  # nothing answers
    ],
)
def test_it_is_written_from_what_was_read_together_where_one_sentence_may_not_do(
    alone, together, several, weight, cover, given
):
    rule = replace(
        RULE,
        sentence=Logistic({"probe": weight}, 0.0),
        answerable=Logistic({"together": 1.0}, 1.0),
        cover=cover,
    )
    model = reader(alone, together)
    selection = select("Qui écoute ?", HITS, rule, Meter(model), several=several)
    assert [hit.sentence.text for hit in selection.sources] == (list(TEXTS) if given else [])
    if given:  # likelihoods are known of what was asked, not of the third
        assert [hit.rank for hit in selection.sources] == [1, 2, 1]


@pytest.mark.parametrize(
    ("document", "told", "together"),
    [("a.txt", math.log(9), False), ("b.txt", 0.0, True)],
)
def test_a_vote_for_no_sentence_says_nothing_of_another_documents_sentence(
    document, told, together
):
    def reply(prompt):
        if prompt.slot == "document":
            return Reply(
                "1", top=(TokenLogprob("0", math.log(0.9)), TokenLogprob("1", math.log(0.1)))
            )
        likely = 0.02 if "La foule" in prompt.messages[-1].content else 0.01
        top = (TokenLogprob("La", math.log(likely)), TokenLogprob("Int", math.log(1 - likely)))
        return Reply("La", top=top)

    hits = [
        replace(hit, sentence=replace(hit.sentence, document=document))
        if "foule" in hit.sentence.text
        else hit
        for hit in HITS
    ]
    rule = replace(RULE, answerable=Logistic({"absent": -1.0, "together": 1.0}, 0.0))
    model = ScriptedModel(default=reply, reads=True)
    selection = select("Qui écoute ?", hits, rule, Meter(model), numbered=NUMBERED)
    assert selection.features["absent"] == pytest.approx(told)
    assert any(p.messages[-1].content.count("\n") > 1 for p in model.prompts) == together


def test_two_votes_are_written_from_together():
    def reply(prompt):
        likely = TokenLogprob("La", math.log(0.99))
        return "1,2" if prompt.slot == "document" else Reply("La", top=(likely,))

    rule = replace(RULE, answerable=Logistic({"together": 1.0}, 0.0), cover=8.0)
    model = ScriptedModel(default=reply, reads=True)
    selection = select("Qui écoute ?", HITS, rule, Meter(model), numbered=NUMBERED)
    assert len(selection.sources) == 3


def test_a_question_about_no_document_is_believed_less():
    rule = replace(RULE, answerable=Logistic({"score": 1.0, "foreign": -1.0}, 0.0))
    plain, foreign = (select("Un poème ?", HITS, rule, None, foreign=f) for f in (0.0, 4.0))
    assert plain.confidence > 0.5 > foreign.confidence
    assert not foreign.chosen


def test_a_reader_that_was_fitted_is_not_heard_twice():
    fitted = replace(RULE, fitted={"model": "one"})
    selection = select("Qui écoute ?", HITS, fitted, Meter(ScriptedModel(default=says_yes)))
    assert heard(selection, fitted, -5.0) == selection
    assert heard(selection, RULE, -5.0).chosen == ()


def says_yes(prompt):
    return says(4.0)
