import struct

import pytest

from qa.llm.gguf import label, read_general


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key, value):
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        return (
            text(key)
            + struct.pack("<IIQ", 9, 4, len(value))
            + struct.pack(f"<{len(value)}I", *value)
        )
    return text(key) + struct.pack("<II", 4, value)


def write(path, *entries):
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries))
    path.write_bytes(head + b"".join(entry(key, value) for key, value in entries))
    return path


def test_the_label_names_model_size_tuning_and_quantisation(tmp_path):
    path = write(
        tmp_path / "m.gguf",
        ("general.architecture", "qwen2"),
        ("general.basename", "Qwen2.5-Coder"),
        ("general.size_label", "1.5B"),
        ("general.finetune", "Instruct"),
        ("general.file_type", 15),
        ("tokenizer.ggml.tokens", [1, 2, 3]),
    )
    assert label(read_general(path)) == "Qwen2.5-Coder 1.5B Instruct type 15"


@pytest.mark.parametrize("content", [b"", b"GGUF", b"MZ" * 50, b"GGUF" + b"\xff" * 60])
def test_a_file_that_is_no_gguf_has_no_label(tmp_path, content):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    assert read_general(path) == {}
    assert label({}) == ""


def test_a_missing_file_has_no_label(tmp_path):
    assert read_general(tmp_path / "none.gguf") == {}
