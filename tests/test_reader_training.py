"""The reader's training rows, their packing, and an adapter's way into a file."""

import json
import math
import random
import re
from collections import Counter
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import pytest

from qa.errors import InputError
from qa.llm.adapters import BASE, INVOCATION
from qa.llm.gguf import read_general
from qa.types import Sentence
from qa_eval.adapters.pack import visible
from qa_eval.reader.pack import pack
from qa_eval.reader.rows import (
    UNWRITTEN,
    Asked,
    Row,
    held_out_titles,
    load_rows,
    named,
    squad_rows,
    with_others,
    write_held_out,
)
from qa_eval.reader.together import article_rows, document_rows
from qa_eval.voter.sheets import Written, load_documents
from tiny_qwen import encode, tiny

torch = pytest.importorskip("torch")
EVAL = Path(__file__).parents[1] / "eval"
ROW = Row(
    "fr",
    "Le pont a rouvert lundi.\nLe maire était là.",
    (Asked("Quand ?", "Lundi."), Asked("Combien ?", None), Asked("Qui ?", "Le maire.")),
)


def logits(model, packed):
    seen = torch.from_numpy(visible([packed]))
    mask = torch.zeros(seen.shape).masked_fill(~seen, -1e9)[None, None]
    with torch.no_grad():
        out = model(
            input_ids=torch.from_numpy(packed.ids)[None],
            position_ids=torch.from_numpy(packed.positions)[None],
            attention_mask=mask,
        ).logits[0]
    return out[torch.from_numpy(packed.at)]


def test_the_written_rows_keep_their_rules():
    rows = load_rows(EVAL / "train")
    asked = [(row, one) for row in rows for one in row.asked]
    refused = sum(one.answer is None for _, one in asked)
    assert 0.35 < refused / len(asked) < 0.5
    for row, one in asked:
        if one.answer is not None:
            assert len(one.answer.split()) <= 14, one
            known = set(re.findall(r"\d+", row.text + one.question))
            assert set(re.findall(r"\d+", one.answer)) <= known, one


def test_no_written_row_is_a_text_of_the_question_sets():
    documents = (EVAL / "documents").glob("*.txt")
    texts = " ".join(" ".join(path.read_text(encoding="utf-8").split()) for path in documents)
    lines = [line for row in load_rows(EVAL / "train") for line in row.text.split("\n")]
    written = load_documents(EVAL / "train" / "documents")
    lines += [one.text for document in written for one in document.sentences if not one.heading]
    assert len(written) > 50
    for line in lines:
        assert " ".join(line.split()) not in texts


def test_a_fault_in_a_row_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"lang":"fr","genre":"x","text":"Oui.","qa":[["Q"]]}\n')
    with pytest.raises(InputError, match=r"a\.jsonl, line 1, field 'qa\.0"):
        load_rows(tmp_path)


def test_a_packed_row_says_what_its_questions_say_one_by_one():
    model, packed = tiny(), pack(ROW, encode)
    together = logits(model, packed)
    alone = [logits(model, pack(replace(ROW, asked=(one,)), encode)) for one in ROW.asked]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_the_targets_are_the_answers_and_the_word_of_refusal():
    packed = pack(ROW, encode)
    said = bytes(packed.wanted.tolist()).decode().split("<|im_end|>")
    assert said == ["Lundi.", "Introuvable.", "Le maire.", ""]
    assert packed.firsts.sum() == len(ROW.asked)
    assert packed.weights[packed.firsts] == pytest.approx(1.0)
    assert packed.weights[~packed.firsts].sum() == pytest.approx(0.7 * len(ROW.asked))


def test_an_answer_that_nobody_wrote_down_is_only_no_refusal():
    from qa_eval.adapters.lora import Shape
    from qa_eval.adapters.train import Recipe, train

    row = replace(ROW, asked=(Asked("Quand ?", UNWRITTEN), Asked("Combien ?", None)))
    packed = pack(row, encode)
    assert packed.avoided.tolist() == [True, *[False] * (len(packed.at) - 1)]
    assert packed.wanted[0] == packed.wanted[1]  # the refusal's first token

    def chances(model):
        return torch.softmax(logits(model, packed)[:2], dim=-1)[:, packed.wanted[0]].tolist()

    model = tiny()
    before = chances(model)
    shape = Shape(rank=4, alpha=8, first_layer=1)
    train(model, repeat([packed]), Recipe(30, rate=2e-2, warm_up_steps=2, shape=shape), print)
    unwritten, refused = chances(model)
    assert unwritten < before[0]
    assert refused > before[1]
    assert unwritten < refused


SAYS = {
    "Quand le pont a-t-il rouvert ?": {1},
    "Quel pont le maire a-t-il inauguré ?": {0, 2},
    "Combien a coûté le pont ?": {3},
    "Qui a payé le pont ?": set(),
}
LINES = (
    "Le pont de Valmer est long.",
    "Le pont a rouvert lundi.",
    "Le maire a inauguré le pont.",
    "Les travaux du pont ont coûté deux millions.",
    "La fanfare a joué sur le pont.",
    "Le pont a été repeint.",
)


def test_a_text_of_several_sentences_answers_what_it_holds_whole_and_no_part_of_it():
    sentences = tuple(Sentence("sheet", 0, 0, 0, line) for line in LINES)
    asked = tuple((question, tuple(n + 1 for n in sorted(own))) for question, own in SAYS.items())
    rows = document_rows([Written("fr", sentences, asked)] * 60, random.Random(1))
    answered: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        lines = row.text.split("\n")
        shown = {LINES.index(line) for line in lines}
        assert lines == [LINES[place] for place in sorted(shown)]
        for one in row.asked:
            answered[one.question, one.answer is not None] += 1
            own = SAYS[one.question]
            assert one.answer == (UNWRITTEN if own and own <= shown else None)
            assert own <= shown or not own & shown
    assert len({row.text.count("\n") for row in rows}) > 3
    assert len(answered) == 2 * len(SAYS) - 1  # all are asked with and without, but the last


def test_articles_of_a_crowd_answer_by_any_sentence_that_holds_an_accepted_answer(tmp_path):
    context = " ".join((*LINES, "En mai, le pont était neuf.", "Le pont fut béni en mai."))
    kept = "Quand le pont fut-il béni ?"
    article = [
        {"id": f"{n}", "question": question, "answers": [{"text": said, "answer_start": at}]}
        for n, (question, said, at) in enumerate(
            [
                (kept, "mai", context.index("mai,")),
                ("Qui a joué ?", "fanfare", context.index("fanfare")),
                ("Quoi ?", "pont", context.index("pont")),  # everywhere: it says nothing
            ]
        )
    ]
    data = [{"title": t, "paragraphs": [{"context": context, "qas": article}]} for t in "ab"]
    for one, name in zip(data, "ab", strict=True):
        one["paragraphs"][0]["qas"] = [{**qa, "id": name + qa["id"]} for qa in article]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "1.1", "data": data}))
    draw = random.Random(2)
    rows = [row for _ in range(30) for row in article_rows(path, 1, draw)]
    asked = [(row.text, one) for row in rows for one in row.asked]
    assert {one.question for _, one in asked} == {kept, "Qui a joué ?"}
    for text, one in asked:
        held = "en mai" in text.casefold() if one.question == kept else "fanfare" in text
        assert one.answer == (None if not held else "Mai." if one.question == kept else "Fanfare.")


def test_wrong_sentences_of_a_crowds_article_hold_no_accepted_answer(tmp_path):
    context = (
        "Le pont de Valmer a été inauguré en 1931. Le pont de Valmer a coûté 2 millions. "
        "Le pont de Valmer mesure 120 mètres. En 1931, le maire était Paul Sénéchal."
    )
    place = context.index("1931")
    question = {
        "id": "q",
        "question": "Quand le pont de Valmer a-t-il été inauguré ?",
        "answers": [{"text": "1931", "answer_start": place}],
    }
    articles = [
        {"title": title, "paragraphs": [{"context": context, "qas": [{**question, "id": title}]}]}
        for title in ("a", "b", "c")
    ]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"version": "1.1", "data": articles}))
    rows = squad_rows(path, held_out=1, seed=0)
    write_held_out(path, 1, tmp_path / "left.json")
    (left,) = json.loads((tmp_path / "left.json").read_text())["data"]
    assert held_out_titles("abc", 1) == {left["title"]}
    answered = [row for row in rows if row.asked[0].answer]
    wrong = [row for row in rows if row.asked[0].answer is None]
    assert len(answered) == 2
    assert wrong
    assert {row.asked[0].answer for row in answered} == {"1931."}
    assert all("1931" not in row.text for row in wrong)


def test_training_learns_the_rows_and_writes_what_llama_cpp_reads(tmp_path):
    gguf = pytest.importorskip("gguf")
    from qa_eval.adapters.lora import Shape, write_gguf
    from qa_eval.adapters.train import Recipe, train

    model, said = tiny(), []
    shape = Shape(rank=4, alpha=8, first_layer=1)
    recipe = Recipe(steps=30, rate=2e-2, warm_up_steps=2, shape=shape)
    adapters = train(model, repeat([pack(ROW, encode)]), recipe, said.append)
    losses = [float(re.search(r"loss ([\d.]+)", line)[1]) for line in said]
    assert losses[-1] < 0.6 * losses[0]
    path = tmp_path / "reader.gguf"
    write_gguf(adapters, shape, path, base="some weights", about="a test")
    assert read_general(path)[BASE] == "some weights"
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    assert {name.split(".")[1] for name in tensors} == {"1"}
    stored = np.asarray(tensors["blk.1.attn_q.weight.lora_a"].data)
    assert stored == pytest.approx(adapters["blk.1.attn_q.weight"].a.detach().numpy(), abs=1e-3)


def adapter(path, seed, base="some weights", alpha=8):
    from qa_eval.adapters.lora import Shape, attach, write_gguf

    shape = Shape(rank=4, alpha=alpha, first_layer=1)
    adapters = attach(tiny(), shape)
    torch.manual_seed(seed)
    for one in adapters.values():
        one.b.data.normal_()
        one.a.data.normal_()
    write_gguf(adapters, shape, path, base=base, about="a test")
    return {name: (one.b @ one.a).detach() * one.scale for name, one in adapters.items()}


def test_the_mean_of_adapters_changes_each_layer_by_the_mean(tmp_path):
    gguf = pytest.importorskip("gguf")
    from qa_eval.adapters.lora import write_mean

    one, other = adapter(tmp_path / "1.gguf", 1), adapter(tmp_path / "2.gguf", 2)
    write_mean([tmp_path / "1.gguf", tmp_path / "2.gguf"], tmp_path / "mean.gguf")
    read = gguf.GGUFReader(tmp_path / "mean.gguf")
    held = {tensor.name: np.array(tensor.data, np.float32) for tensor in read.tensors}
    scale = (
        read.fields["adapter.lora.alpha"].contents() / held["blk.1.attn_q.weight.lora_a"].shape[0]
    )
    for name in one:
        change = scale * held[f"{name}.lora_b"] @ held[f"{name}.lora_a"]
        assert change == pytest.approx(((one[name] + other[name]) / 2).numpy(), abs=0.05)
    assert read_general(tmp_path / "mean.gguf")[BASE] == "some weights"


def test_the_mean_of_voters_is_called_as_they_are(tmp_path):
    gguf = pytest.importorskip("gguf")
    from qa_eval.adapters.lora import Shape, attach, write_gguf, write_mean

    shape = Shape(rank=4, alpha=8, first_layer=1)
    paths = [tmp_path / f"{name}.gguf" for name in ("one", "other", "mean")]
    for path, called in zip(paths, ([5, 6], [5, 6], [7]), strict=True):
        write_gguf(attach(tiny(), shape), shape, path, base="b", about="a", invocation=called)
    with pytest.raises(InputError, match="calls"):
        write_mean(paths[1:], tmp_path / "wrong.gguf")
    write_mean(paths[:2], paths[2])
    assert gguf.GGUFReader(paths[2]).fields[INVOCATION].contents() == [5, 6]


def test_adapters_of_several_bases_have_no_mean(tmp_path):
    pytest.importorskip("gguf")
    from qa_eval.adapters.lora import write_mean

    adapter(tmp_path / "1.gguf", 1)
    adapter(tmp_path / "2.gguf", 2, base="other weights")
    with pytest.raises(InputError, match="several bases"):
        write_mean([tmp_path / "1.gguf", tmp_path / "2.gguf"], tmp_path / "mean.gguf")


def test_training_goes_on_from_a_file_and_keeps_what_it_has(tmp_path):
    pytest.importorskip("gguf")
    from qa_eval.adapters import train as module
    from qa_eval.adapters.lora import Shape, attach, load_gguf
    from qa_eval.adapters.train import Recipe, train

    wanted = adapter(tmp_path / "start.gguf", 3)
    shape, kept = Shape(rank=4, alpha=8, first_layer=1), []
    recipe = Recipe(steps=1, rate=0.0, shape=shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_KEEP_EVERY", 1)
        start = tmp_path / "start.gguf"
        rows = repeat([pack(ROW, encode)])
        adapters = train(tiny(), rows, recipe, print, start, kept.append)
    assert kept == [adapters]
    for name, one in adapters.items():
        assert (one.b @ one.a * one.scale).detach().numpy() == pytest.approx(
            wanted[name].numpy(), abs=0.1
        )
    with pytest.raises(InputError, match="other adapters"):
        load_gguf(attach(tiny(), Shape(rank=2, alpha=8, first_layer=1)), tmp_path / "start.gguf")


def test_two_sources_are_mixed_and_each_is_used_up_before_it_is_made_anew():
    from qa_eval.adapters.train import batches, mixed

    made = []

    def written():
        made.append("written")
        return ["a", "b", "c"]

    rows = list(islice(mixed(written, lambda: ["x", "y"], 0.6, random.Random(1)), 200))
    own = [row for row in rows if row in "abc"]
    assert 0.5 < len(own) / len(rows) < 0.7
    assert all(sorted(own[n : n + 3]) == ["a", "b", "c"] for n in range(0, len(own) - 3, 3))
    assert len(made) == math.ceil(len(own) / 3)
    alone = mixed(written, list, 0.1, random.Random(1))
    assert set(islice(alone, 20)) == {"a", "b", "c"}
    packed = pack(ROW, encode)
    sizes = [len(batch) for batch in islice(batches(repeat(packed), 2 * len(packed.ids)), 3)]
    assert sizes == [2, 2, 2]


def test_questions_change_their_order_only():
    from qa_eval.reader.rows import shuffled

    again = shuffled(ROW, random.Random(3))
    assert sorted(one.question for one in again.asked) == sorted(o.question for o in ROW.asked)


def test_some_rows_are_asked_about_another_document_too():
    rows = [
        Row("fr", f"Le {name} a rouvert.", (Asked(f"Quand le {name} a-t-il rouvert ?", "Hier."),))
        for name in ("Louvre", "Prado", "Rijksmuseum")
    ]
    asked = with_others(rows, 1.0, seed=0)
    for row, before in zip(asked, rows, strict=True):
        assert row.asked[:-1] == before.asked
        foreign = row.asked[-1]
        assert foreign.answer is None
        assert not any(name in row.text for name in named(foreign.question))
    assert with_others(rows, 0.0, seed=0) == tuple(rows)
    assert (
        100
        < sum(
            row.asked != before.asked
            for row, before in zip(with_others(rows * 100, 0.5, seed=0), rows * 100, strict=True)
        )
        < 200
    )


def test_the_shape_of_an_adapter_is_read_from_its_file(tmp_path):
    pytest.importorskip("gguf")
    from qa_eval.adapters.lora import Shape, shape_of

    adapter(tmp_path / "one.gguf", 1)
    assert shape_of(tmp_path / "one.gguf") == Shape(rank=4, alpha=8, first_layer=1)


def test_an_adapter_judges_what_was_read_and_nothing_else(tmp_path):
    from qa.types import TokenLogprob
    from qa.witnesses import answer_odds
    from qa_eval.features import judge_again, load_samples
    from qa_eval.reader.judge import judge

    text = "Le pont a rouvert lundi. Le maire était là. Il a plu."
    spans = [(0, 24), (25, 43), (44, 53)]

    def candidate(index, probe):
        start, end = spans[index]
        sentence = ["pont.txt", index, start, end, text[start:end]]
        scores = [1.0, index + 1, 0.9, 1.0]
        return {
            "hit": {"sentence": sentence, "scores": scores},
            "vote": None,
            "probe": probe,
            "gold": index == 0,
        }

    row = {"document": "pont.txt", "kind": "answerable", "gold_sets": [[[0, 24]]], "write": 0.0}
    row |= {"together": 0.0, "together_unvoted": 0.0, "foreign": 0.0, "draft": ""}
    row["said"] = {"text": "Lundi.", "cited": [[0, 24]], "features": {"least": -0.1}}
    row["candidates"] = [candidate(0, 3.0), candidate(1, -2.0), candidate(2, None)]
    questions = {"a": "Quand rouvre le pont ?", "b": "Who was there?"}
    rows = [{**row, "id": name, "question": asked} for name, asked in questions.items()]
    features, out = tmp_path / "features.jsonl", tmp_path / "again.jsonl"
    features.write_text("\n".join(map(json.dumps, rows)) + "\n")
    model = tiny()
    odds = judge(
        load_samples(features),
        {"pont.txt": text},
        model,
        encode,
        lambda t: bytes([t]).decode("latin1"),
        print,
    )
    assert set(odds) == {(name, read) for name in "ab" for read in ((0,), (1,), (0, 1, 2))}
    with pytest.raises(InputError, match=r"no text of 'pont\.txt'"):
        judge(load_samples(features), {}, model, encode, str, print)
    alone = pack(Row("fr", text[:24], (Asked(questions["a"], None),)), encode)
    likely = torch.log_softmax(logits(model, alone)[0].float(), dim=-1).topk(20)
    top = [
        TokenLogprob(bytes([token]).decode("latin1"), value)
        for value, token in zip(likely.values.tolist(), likely.indices.tolist(), strict=True)
    ]
    assert odds["a", (0,)] == pytest.approx(answer_odds(top, "", "fr"), abs=1e-3)
    assert load_samples(features)[0].said
    judge_again(features, out, odds)
    assert load_samples(out)[0].said is None  # another reader would say something else
    again = load_samples(out)[0]
    assert [c.probe for c in again.candidates] == [odds["a", (0,)], odds["a", (1,)], None]
    assert again.together == again.together_unvoted == odds["a", (0, 1, 2)]
    assert (again.gold, again.question) == ((True, False, False), questions["a"])
