"""Cross-encoders of the person's choice: real ones, tiny, loaded and scored by the real library."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from qa.entail import Entailment, Reranker, Verdict, open_entailment, open_reranker
from qa.errors import ModelUnavailable
from tiny_cross import LABELS, tiny_cross_encoder

PAIRS = [("le maire parle .", "le maire se tait ."), ("personne parle", "le maire parle .")]


@pytest.fixture(scope="module")
def nli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cross_encoder(tmp_path_factory.mktemp("nli"))


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cross_encoder(tmp_path_factory.mktemp("reranker"), ["LABEL_0"])


def reference_chances(folder: Path, pair: tuple[str, str]) -> dict[str, float]:
    """Return the labels' probabilities as transformers computes them, without the cross-encoder."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(*pair, return_tensors="pt")
    with torch.no_grad():
        logits = AutoModelForSequenceClassification.from_pretrained(folder)(**tokens).logits
    return dict(zip(LABELS, torch.softmax(logits[0], 0).tolist(), strict=True))


def test_verdicts_are_the_probabilities_of_the_labels(nli: Path) -> None:
    verdicts = open_entailment(str(nli)).judge(PAIRS)
    for pair, verdict in zip(PAIRS, verdicts, strict=True):
        chances = reference_chances(nli, pair)
        assert verdict.entailment == pytest.approx(chances["entailment"], abs=1e-5)
        assert verdict.contradiction == pytest.approx(chances["contradiction"], abs=1e-5)
    assert verdicts[0] != verdicts[1]


def test_labels_are_read_in_any_order_and_case(nli: Path, tmp_path: Path) -> None:
    other = tiny_cross_encoder(tmp_path / "nli", ["ENTAILMENT", "Neutral", "contradiction"])
    before, after = (open_entailment(str(one)).judge(PAIRS)[0] for one in (nli, other))
    # The same weights: the first output is now called what the second one was, and so on.
    chances = reference_chances(other, PAIRS[0])
    assert after.entailment == pytest.approx(chances["contradiction"], abs=1e-5)
    assert after.contradiction == pytest.approx(chances["neutral"], abs=1e-5)
    assert after != before


def test_text_and_statement_are_not_exchangeable(nli: Path) -> None:
    forth, back = Entailment(nli).judge([PAIRS[0], PAIRS[0][::-1]])
    assert forth != back


def test_a_decision_needs_more_than_half() -> None:
    assert Verdict(0.51, 0.4).entailed
    assert not Verdict(0.5, 0.5).entailed
    assert not Verdict(0.5, 0.5).contradicted
    assert Verdict(0.1, 0.51).contradicted


def test_a_reranker_scores_each_text(reranker: Path) -> None:
    texts = [pair[1] for pair in PAIRS]
    model = open_reranker(str(reranker))
    scores = model.scores("le maire parle .", texts)
    assert len(scores) == 2
    assert scores[0] != scores[1]
    assert model.scores("le maire parle .", texts[::-1]) == pytest.approx(scores[::-1], abs=1e-5)
    assert model.scores("le maire", []) == ()


def test_nothing_to_judge_loads_nothing(nli: Path, reranker: Path) -> None:
    code = f"""
import sys
from qa.entail import open_entailment, open_reranker
assert open_entailment({str(nli)!r}).judge([]) == ()
assert open_reranker({str(reranker)!r}).scores("le maire", []) == ()
print(*{{"torch", "sentence_transformers"}} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_texts_beyond_the_window_and_surrogates_are_read(nli: Path, reranker: Path) -> None:
    (verdict,) = Entailment(nli).judge([("le maire parle . " * 500, "\ud800 le maire")])
    assert 0 <= verdict.entailment <= 1
    assert np.isfinite(Reranker(reranker).scores("\ud800", ["personne " * 500])).all()


def test_threads_share_one_model(nli: Path) -> None:
    model, found = Entailment(nli, threads=1), {}
    expected = model.judge(PAIRS)

    def work(n: int) -> None:
        found[n] = model.judge(PAIRS)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[n] == expected for n in range(4))


@pytest.mark.parametrize("labels", [["LABEL_0", "LABEL_1", "LABEL_2"], ["entailment", "not"]])
def test_other_labels_are_refused_before_loading(tmp_path: Path, labels: list[str]) -> None:
    folder = tiny_cross_encoder(tmp_path / "other", labels)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match=rf"other.*{labels[-1].lower()}.*QA_NLI.*leave it"):
        open_entailment(str(folder))


def test_a_reranker_with_several_outputs_is_refused(nli: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"3 outputs.*QA_RERANKER"):
        open_reranker(str(nli))


@pytest.mark.parametrize(
    ("start", "setting"), [(open_entailment, "NLI"), (open_reranker, "RERANKER")]
)
def test_a_folder_that_is_not_there_is_named(start, setting: str) -> None:
    with pytest.raises(ModelUnavailable, match=rf"'./not/there'.*QA_{setting}.*leave it out"):
        start("./not/there")


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"cannot load the reranker.*QA_RERANKER"):
        open_reranker(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps([1]))
    with pytest.raises(ModelUnavailable, match=r"cannot load the entailment model.*QA_NLI"):
        open_entailment(str(tmp_path))


def test_damaged_weights_are_named_when_they_are_loaded(nli: Path, tmp_path: Path) -> None:
    folder = tiny_cross_encoder(tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"{nothing")
    with pytest.raises(ModelUnavailable, match=r"damaged.*QA_NLI"):
        open_entailment(str(folder)).judge(PAIRS)


def test_a_hub_name_without_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"'nobody/no-such-model'.*QA_NLI.*leave it out"):
        open_entailment("nobody/no-such-model")
