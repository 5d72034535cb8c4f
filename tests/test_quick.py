"""The bundled encoder without its library: the same vectors, and the library where it is needed."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from qa.embed import SentenceEncoder, load_encoder
from qa.embed.quick import QuickEncoder, _erf
from qa.errors import ModelUnavailable
from qa.weights import encoder_available, find_encoder
from qa.weights.e5 import read_model
from qa.weights.e5_folder import write_folder
from tiny_e5 import HIDDEN, tiny_e5

TEXTS = ("le chat", "", "le chat dort", "t", "s le chat " * 9, "dort " * 390, "\ud800 le", "\x00")
FRENCH = (Path(__file__).parent / "data" / "french-sentences.txt").read_text("utf-8").splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    packed = tmp_path_factory.mktemp("packed") / "tiny.bin"
    packed.write_bytes(tiny_e5())
    path = tmp_path_factory.mktemp("models") / "tiny-e5"
    path.mkdir()
    write_folder(read_model(packed), path)
    return path


def quick_encoder(folder: Path) -> SentenceEncoder:
    return SentenceEncoder(folder.name, folder, quick=QuickEncoder(folder))


@pytest.mark.parametrize("query", [True, False])
def test_rows_are_those_of_the_library(folder: Path, query: bool) -> None:
    quick, library = quick_encoder(folder), load_encoder(str(folder), folder)
    for text in TEXTS:
        row, expected = (one.encode([text], query=query) for one in (quick, library))
        assert np.abs(row - expected).max() < 1e-6, text[:20]
    assert quick._model is None
    assert (quick.dim, quick.id) == (library.dim, library.id)


def test_rows_are_unit_float32_in_the_order_of_the_texts(folder: Path) -> None:
    quick = quick_encoder(folder)
    rows = quick.encode(["le chat", "dort", "le chat"])
    assert (rows.shape, rows.dtype) == ((3, HIDDEN), np.float32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    assert np.array_equal(rows[0], rows[2])
    assert not np.array_equal(rows[0], rows[1])
    assert quick.encode([]).shape == (0, HIDDEN)


def test_many_texts_load_the_library_which_then_serves_short_ones_too(folder: Path) -> None:
    encoder = quick_encoder(folder)
    encoder.encode(["le chat"])
    assert encoder._model is None
    rows = encoder.encode(["le chat dort " * 20] * 10)
    assert rows.shape == (10, HIDDEN)
    assert encoder._model is not None
    assert encoder._quick is None
    assert encoder.encode(["le chat"]) @ rows[0] == pytest.approx(
        load_encoder(str(folder), folder).encode(["le chat"]) @ rows[0], abs=1e-6
    )


def test_only_the_bundled_encoder_is_run_without_the_library(folder: Path) -> None:
    encoder = load_encoder(str(folder), folder)
    encoder.encode(["le chat"])
    assert encoder._model is not None


def test_a_question_imports_neither_torch_nor_sentence_transformers(folder: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from qa.embed import SentenceEncoder
from qa.embed.quick import QuickEncoder
folder = Path({str(folder)!r})
SentenceEncoder("tiny", folder, quick=QuickEncoder(folder)).encode(["le chat"], query=True)
print(*{{"torch", "transformers", "sentence_transformers"}} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_threads_of_the_process_are_left_as_they_were(folder: Path) -> None:
    from threadpoolctl import threadpool_info

    def threads() -> list[int]:
        return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]

    quick = quick_encoder(folder)
    quick.encode(["le"])
    before = threads()
    workers = [threading.Thread(target=quick.encode, args=(["le chat dort"],)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert threads() == before != []


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_file_is_named_with_its_remedy(folder: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "broken"
    shutil.copytree(folder, copy)
    (copy / name).write_bytes(b"{nothing")
    with pytest.raises(ModelUnavailable, match=r"broken.*unpacked anew"):
        quick_encoder(copy).encode(["le chat"])


def test_the_error_function_is_right_to_single_precision() -> None:
    x = np.linspace(-6, 6, 4001, dtype=np.float32)
    assert np.abs(_erf(x) - np.vectorize(math.erf)(x)).max() < 5e-7


@pytest.mark.e2e
def test_bundled_rows_are_those_of_the_library(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = os.environ.get("QA_CACHE")
    cache = Path(given) if given else tmp_path_factory.mktemp("cache")
    if not encoder_available(cache):
        pytest.skip("the package of the extra [encoder] is not installed")
    found = find_encoder(cache)
    quick, library = quick_encoder(found), load_encoder(str(found), cache)
    assert len(FRENCH) == 50
    for query in (True, False):
        rows = np.concatenate([quick.encode([text], query=query) for text in FRENCH])
        assert quick._model is None
        assert np.abs(rows - library.encode(FRENCH, query=query)).max() < 3e-7
