"""Model files: made once, verified, reused without being read, and remade when damaged."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from qa.errors import ModelUnavailable
from qa.weights import (
    GGUF_BYTES,
    encoder_available,
    find_encoder,
    find_gguf,
    gguf_available,
    stamped_sha256,
    verify_encoder,
    verify_gguf,
)
from qa.weights import files as files_module
from qa.weights import gguf as gguf_module
from qa.weights.e5 import expand_q4, read_model
from qa.weights.encoder import PackedEncoder
from qa.weights.gguf import QWEN, PackedFile
from tiny_e5 import NORMALISATION, WORDS, q4_block, tiny_e5, tiny_tensors

PARTS = (b"GGUF first, ", b"second, " * 1000, b"third")
WHOLE = b"".join(PARTS)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackedFile:
    """Three installed packages that hold a small file in pieces."""
    site = tmp_path / "site"
    names = []
    for number, content in enumerate(PARTS, 1):
        folder = site / f"tiny_part{number}"
        (folder / "data").mkdir(parents=True)
        (folder / "__init__.py").write_text("raise ImportError('must not be imported')")
        (folder / "data" / f"part{number}.bin").write_bytes(content)
        names.append((folder.name, f"data/part{number}.bin"))
    monkeypatch.syspath_prepend(str(site))
    return PackedFile(
        name="tiny.gguf",
        size=len(WHOLE),
        sha256=hashlib.sha256(WHOLE).hexdigest(),
        parts=tuple(names),
        install="pip install tiny",
        reinstall="pip install --force-reinstall tiny",
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def part_file(tmp_path: Path, number: int) -> Path:
    return tmp_path / "site" / f"tiny_part{number}" / "data" / f"part{number}.bin"


def hashed_files(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list that fills with every file whose bytes are hashed."""
    hashed: list[Path] = []

    def file_sha256(path: Path) -> str:
        hashed.append(path)
        return files_module.file_sha256(path)

    monkeypatch.setattr(gguf_module, "file_sha256", file_sha256)
    return hashed


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_parts_are_joined_in_order(source: PackedFile, cache: Path) -> None:
    path = find_gguf(None, cache, source=source)
    assert path == cache / "models" / "tiny.gguf"
    assert path.read_bytes() == WHOLE
    assert names_in(path.parent) == {"tiny.gguf", "tiny.gguf.verified"}


def test_progress_is_told_up_to_the_end(source: PackedFile, cache: Path) -> None:
    lines: list[str] = []
    find_gguf(None, cache, lines.append, source=source)
    assert lines[-1] == "preparing the language model: 100 %"


def test_a_verified_file_is_reused_without_being_read(
    source: PackedFile, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_gguf(None, cache, source=source)
    part_file(tmp_path, 2).unlink()
    hashed = hashed_files(monkeypatch)
    assert find_gguf(None, cache, source=source).read_bytes() == WHOLE
    assert hashed == []


def test_a_file_with_another_time_is_hashed_once_and_kept(
    source: PackedFile, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = find_gguf(None, cache, source=source)
    os.utime(path, (1, 1))
    part_file(tmp_path, 2).unlink()
    hashed = hashed_files(monkeypatch)
    find_gguf(None, cache, source=source)
    find_gguf(None, cache, source=source)
    assert hashed == [path]


@pytest.mark.parametrize("damage", [WHOLE.replace(b"first", b"fjrst"), WHOLE[:-1], b""])
def test_a_damaged_file_is_deleted_and_made_anew(
    source: PackedFile, cache: Path, damage: bytes
) -> None:
    find_gguf(None, cache, source=source).write_bytes(damage)
    lines: list[str] = []
    assert find_gguf(None, cache, lines.append, source=source).read_bytes() == WHOLE
    assert "the language model's file is damaged: making it anew" in lines


def test_wrong_parts_are_tried_twice_then_reported(
    source: PackedFile, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part_file(tmp_path, 3).write_bytes(b"third!")
    tries = []
    assemble = gguf_module._assemble
    monkeypatch.setattr(
        gguf_module, "_assemble", lambda *args: (tries.append(1), assemble(*args))[1]
    )
    with pytest.raises(ModelUnavailable, match=r"damaged.*--force-reinstall tiny"):
        find_gguf(None, cache, source=source)
    assert len(tries) == 2
    assert names_in(cache / "models") == set()


def test_a_damaged_file_with_damaged_parts_is_made_anew_once_then_reported(
    source: PackedFile, cache: Path, tmp_path: Path
) -> None:
    find_gguf(None, cache, source=source).write_bytes(b"GGUF something else")
    part_file(tmp_path, 3).write_bytes(b"THIRD")
    with pytest.raises(ModelUnavailable, match="damaged"):
        find_gguf(None, cache, source=source)
    assert "tiny.gguf" not in names_in(cache / "models")


def test_missing_packages_are_listed_with_the_command_that_installs_them(
    source: PackedFile, cache: Path, tmp_path: Path
) -> None:
    part_file(tmp_path, 1).unlink()
    part_file(tmp_path, 3).unlink()
    assert not gguf_available(source=source)
    with pytest.raises(
        ModelUnavailable, match=r"2 of the 3 .*tiny_part1, tiny_part3.*install tiny"
    ):
        find_gguf(None, cache, source=source)
    assert not cache.exists()


def test_available_means_packages_or_a_verified_file(
    source: PackedFile, cache: Path, tmp_path: Path
) -> None:
    assert gguf_available(source=source)
    find_gguf(None, cache, source=source)
    part_file(tmp_path, 1).unlink()
    assert gguf_available(cache=cache, source=source)
    assert not gguf_available(source=source)
    assert not gguf_available(tmp_path / "none.gguf", cache, source=source)


def test_a_cache_that_cannot_be_a_folder_is_named(source: PackedFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ModelUnavailable, match=r"cannot write .*/file/models.*QA_CACHE"):
        find_gguf(None, tmp_path / "file", source=source)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_a_cache_that_cannot_be_written_is_named(source: PackedFile, cache: Path) -> None:
    cache.mkdir(mode=0o500)
    with pytest.raises(ModelUnavailable, match=r"cannot write .*cache.*QA_CACHE"):
        find_gguf(None, cache, source=source)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_nothing_behind(
    source: PackedFile, cache: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(files_module.os, "fsync", full)
        with pytest.raises(ModelUnavailable, match=r"no room for .*GB free.*QA_CACHE"):
            find_gguf(None, cache, source=source)
    assert names_in(cache / "models") == set()
    assert find_gguf(None, cache, source=source).read_bytes() == WHOLE


def test_what_a_killed_process_left_is_removed(source: PackedFile, cache: Path) -> None:
    models = cache / "models"
    models.mkdir(parents=True)
    (models / ".tiny.gguf.4242-0badcafe.part").write_bytes(b"GGUF half")
    find_gguf(None, cache, source=source)
    assert names_in(models) == {"tiny.gguf", "tiny.gguf.verified"}


def _find(cache: Path, source: PackedFile, found: multiprocessing.Queue[str]) -> None:
    found.put(hashlib.sha256(find_gguf(None, cache, source=source).read_bytes()).hexdigest())


def test_two_processes_at_once_get_the_same_whole_file(source: PackedFile, cache: Path) -> None:
    context = multiprocessing.get_context("fork")
    found: multiprocessing.Queue[str] = context.Queue()
    both = [context.Process(target=_find, args=(cache, source, found)) for _ in range(2)]
    for process in both:
        process.start()
    digests = [found.get(timeout=60) for _ in both]
    for process in both:
        process.join(60)
    assert digests == [source.sha256] * 2
    assert names_in(cache / "models") == {"tiny.gguf", "tiny.gguf.verified"}


def test_a_held_lock_is_waited_for_and_said(
    source: PackedFile, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "_LOCK_WAIT_S", 0.2)
    (cache / "models").mkdir(parents=True)
    lines: list[str] = []
    with files_module.locked(cache / "models" / "tiny.gguf", None):
        assert find_gguf(None, cache, lines.append, source=source).read_bytes() == WHOLE
    assert lines.count("waiting for another process that prepares the same model") == 1


def test_a_local_gguf_is_used_as_it_is(tmp_path: Path, cache: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and the rest")
    assert find_gguf(own, cache) == own
    assert not cache.exists()
    assert stamped_sha256(own) is None


@pytest.mark.parametrize("content", [None, b"", b"GG", b"<html>not found"])
def test_a_local_file_that_is_no_gguf_is_an_error(
    tmp_path: Path, cache: Path, content: bytes | None
) -> None:
    own = tmp_path / "own.gguf"
    if content is not None:
        own.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"own\.gguf.*QA_GGUF"):
        find_gguf(own, cache)


def test_verifying_reads_every_byte(source: PackedFile, cache: Path) -> None:
    assert verify_gguf(cache, source=source) is None
    path = find_gguf(None, cache, source=source)
    assert verify_gguf(cache, source=source) is True
    before = path.stat()
    path.write_bytes(WHOLE.replace(b"first", b"fjrst"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert stamped_sha256(path) == source.sha256
    assert verify_gguf(cache, source=source) is False


def test_damaged_stamps_are_as_good_as_none(source: PackedFile, cache: Path) -> None:
    path = find_gguf(None, cache, source=source)
    stamps = path.with_name("tiny.gguf.verified")
    for damage in ("", "[]", "{}", '{"tiny.gguf": {"size": 1}}', '{"tiny.gguf": 3}', "\x00"):
        stamps.write_text(damage)
        assert stamped_sha256(path) is None
        assert find_gguf(None, cache, source=source).read_bytes() == WHOLE
    assert stamped_sha256(path) == source.sha256


@pytest.mark.e2e
def test_the_installed_parts_are_the_declared_ones() -> None:
    if not gguf_available():
        pytest.skip("the packages of the extra [embedded] are not installed")
    paths = [files_module.package_file(package, name) for package, name in QWEN.parts]
    assert sum(path.stat().st_size for path in paths if path) == GGUF_BYTES
    first = paths[0]
    assert first
    assert first.read_bytes()[:4] == b"GGUF"


# --- the encoder ------------------------------------------------------------------------------


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackedEncoder:
    """An installed package that holds a tiny encoder."""
    folder = tmp_path / "site" / "packed_encoder"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('must not be imported')")
    (folder / "tiny.bin").write_bytes(tiny_e5())
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return PackedEncoder(
        package="packed_encoder",
        file="tiny.bin",
        sha256=hashlib.sha256(tiny_e5()).hexdigest(),
        install="pip install tiny-e5",
        reinstall="pip install --force-reinstall tiny-e5",
    )


def test_a_q4_block_is_scale_times_nibble_minus_8() -> None:
    block = q4_block(0.5, [*range(-8, 8), *range(7, -9, -1)])
    expected = [n * 0.5 for n in (*range(-8, 8), *range(7, -9, -1))]
    assert expand_q4(block + block).tolist() == expected * 2


def test_the_packed_file_is_read_as_described(tmp_path: Path) -> None:
    path = tmp_path / "tiny.bin"
    path.write_bytes(tiny_e5())
    model = read_model(path)
    assert (model.shape.hidden, model.shape.intermediate, model.shape.vocabulary) == (32, 64, 10)
    assert model.vocabulary.pieces == tuple(WORDS)
    assert model.vocabulary.normalisation == NORMALISATION
    assert model.tensors["encoder.layer.0.intermediate.dense.weight"].shape == (64, 32)
    kind, _, data = tiny_tensors()["l0.fo.b"]
    assert kind == 0
    assert model.tensors["encoder.layer.0.output.dense.bias"].tobytes() == data


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: b"E5S2" + content[4:], "begins with"),
        (lambda content: content[:-1], "cut"),
        (lambda content: content[:100], "cut"),
        (lambda content: content[:4], "cut"),
    ],
)
def test_a_damaged_packed_file_is_a_value_error(tmp_path: Path, damage, reason: str) -> None:
    path = tmp_path / "tiny.bin"
    path.write_bytes(damage(tiny_e5()))
    with pytest.raises(ValueError, match=reason):
        read_model(path)


def test_the_encoder_is_unpacked_once(packed: PackedEncoder, cache: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    folder = find_encoder(cache, lines.append, source=packed)
    assert folder == cache / "models" / "multilingual-e5-small"
    made = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    (tmp_path / "site" / "packed_encoder" / "tiny.bin").unlink()
    assert find_encoder(cache, lines.append, source=packed) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == made
    assert lines == ["unpacking the sentence encoder, once"]
    assert encoder_available(cache, source=packed)
    assert names_in(folder.parent) == {"multilingual-e5-small"}


def test_the_folder_is_a_sentence_transformer(packed: PackedEncoder, cache: Path) -> None:
    folder = find_encoder(cache, source=packed)
    modules = json.loads((folder / "modules.json").read_text())
    assert [module["type"].rpartition(".")[2] for module in modules] == [
        "Transformer",
        "Pooling",
        "Normalize",
    ]
    prompts = json.loads((folder / "config_sentence_transformers.json").read_text())["prompts"]
    assert (prompts["query"], prompts["passage"]) == ("query: ", "passage: ")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("le chat", ["<s>", "▁le", "▁chat", "</s>"]),
        ("  le\u00a0\n\tchat ", ["<s>", "▁le", "▁chat", "</s>"]),
        ("le\u200bchat\x07s\x00", ["<s>", "▁le", "▁chat", "s", "</s>"]),
        ("", ["<s>", "</s>"]),
        ("chat▁le", ["<s>", "▁chat", "▁le", "</s>"]),
    ],
)
def test_the_tokenizer_normalises_as_the_model_does(
    packed: PackedEncoder, cache: Path, text: str, pieces: list[str]
) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(find_encoder(cache, source=packed) / "tokenizer.json"))
    assert [WORDS[i] for i in tokenizer.encode(text).ids] == pieces


@pytest.mark.parametrize("damage", ["cut", "gone", "changed", "stamps"])
def test_a_damaged_folder_is_unpacked_anew(packed: PackedEncoder, cache: Path, damage: str) -> None:
    folder = find_encoder(cache, source=packed)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    match damage:
        case "cut":
            weights.write_bytes(whole[:-4])
        case "gone":
            (folder / "1_Pooling" / "config.json").unlink()
        case "changed":
            weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "stamps":
            (folder / "checksums.json").write_text("{")
    assert find_encoder(cache, source=packed) == folder
    assert weights.read_bytes() == whole
    assert (folder / "1_Pooling" / "config.json").is_file()
    assert names_in(folder.parent) == {"multilingual-e5-small"}


def test_a_copied_folder_is_accepted_by_its_bytes(
    packed: PackedEncoder, cache: Path, tmp_path: Path
) -> None:
    folder = find_encoder(cache, source=packed)
    for path in folder.rglob("*.json"):
        os.utime(path, (1, 1))
    (tmp_path / "site" / "packed_encoder" / "tiny.bin").unlink()
    assert find_encoder(cache, source=packed) == folder
    assert verify_encoder(cache) == []


def test_verifying_the_encoder_names_the_damaged_files(packed: PackedEncoder, cache: Path) -> None:
    assert verify_encoder(cache) is None
    folder = find_encoder(cache, source=packed)
    assert verify_encoder(cache) == []
    weights = folder / "model.safetensors"
    before = weights.stat()
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verify_encoder(cache) == ["model.safetensors"]


def test_a_missing_encoder_package_is_named(packed: PackedEncoder, cache: Path) -> None:
    from dataclasses import replace

    missing = replace(packed, package="packed_encoder_not_there")
    assert not encoder_available(cache, source=missing)
    with pytest.raises(ModelUnavailable, match=r"'packed_encoder_not_there'.*pip install tiny-e5"):
        find_encoder(cache, source=missing)


def test_a_damaged_encoder_package_is_an_error(
    packed: PackedEncoder, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "site" / "packed_encoder" / "tiny.bin").write_bytes(tiny_e5() + b"!")
    with pytest.raises(ModelUnavailable, match=r"tiny\.bin.*sha256.*--force-reinstall"):
        find_encoder(cache, source=packed)
    assert names_in(cache / "models") == set()


def test_no_room_for_the_encoder_leaves_nothing_behind(
    packed: PackedEncoder, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files_module.os, "fsync", full)
    with pytest.raises(ModelUnavailable, match=r"no room for the sentence encoder.*QA_CACHE"):
        find_encoder(cache, source=packed)
    assert names_in(cache / "models") == set()
