"""Coverage-guided fuzzing of what reads untrusted bytes in Python: ``fuzz.py TARGET [OPTIONS]``.

Targets: txt, eml, zip, sentences. The options are libFuzzer's (``-max_total_time=60``). Bytes may
give a document, whose sentences are at their offsets, or an InputError of one line; anything else
is a crash, whose bytes libFuzzer writes to a file.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["qa.documents", "qa.sentences", "qa.words", "email"]):
    from qa.chunks import make_chunks
    from qa.documents import Limits, document_from_text
    from qa.documents.formats import read_format
    from qa.documents.packed import members, open_zip, read_member
    from qa.errors import InputError
    from qa.sentences import split_sentences
    from qa.words import stems

LIMITS = Limits(file_bytes=1 << 20, unpacked_bytes=4 << 20, entries=100)


def check_text(text: str) -> None:
    """Read a text as a document and compare its sentences with it."""
    document = document_from_text(text, "a.txt")
    sentences = split_sentences(document)
    place = 0
    for sentence in sentences:
        assert not document.text[place : sentence.start].strip(), "text between two sentences"
        assert sentence.text == document.text[sentence.start : sentence.end]
        place = sentence.end
    assert not document.text[place:].strip(), "text after the last sentence"
    for chunk in make_chunks(document, sentences):
        assert all(stem.strip() for stem in stems(chunk.context))


def read_packed(data: bytes) -> None:
    """Read every member of an archive."""
    packed = open_zip(data, "a.zip", LIMITS)
    for member in members(packed):
        if not member.problem:
            read_member(packed, member.name, f"a.zip/{member.name}", LIMITS)


def read(suffix: str, data: bytes) -> None:
    """Read a file's bytes as its format."""
    check_text(read_format(suffix, data, f"a{suffix}", LIMITS).text)


TARGETS = {
    "txt": lambda data: read(".txt", data),
    "eml": lambda data: read(".eml", data),
    "zip": read_packed,
    "sentences": lambda data: check_text(data.decode("utf-8", "replace")),
}


def main() -> None:
    """Fuzz the target that the command line names."""
    target = TARGETS[sys.argv.pop(1)]

    def check(data: bytes) -> None:
        try:
            target(data)
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017

    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
