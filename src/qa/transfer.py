"""An index as one Parquet file, and back: another machine opens it without reading or encoding.

A row is a document with its text and its sentences; each sentence carries its vector, 16-bit
floats, little-endian. The file's metadata names the encoder. Everything is read by pyarrow, which
is an extra: ``pip install 'qa-sentence-citations[parquet]'``.

Example: ``export_store(store, Path("index.parquet"))``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from qa.documents import is_there
from qa.errors import IndexMismatch, InputError
from qa.store import DocumentInfo, Label, Origin, Store, erase
from qa.store.database import DATABASE
from qa.types import Chunk, Document, Page, Sentence

if TYPE_CHECKING:
    import pyarrow

Progress = Callable[[str], None]

FORMAT: Final = 1
_KEY: Final = b"qa-sentence-citations"
# Of all rows, written last: a page's own checksum does not cover the file's structure.
_DIGEST: Final = "qa-sha256"
_GROUP_SENTENCES: Final = 4096


def export_store(store: Store, path: Path, progress: Progress | None = None) -> int:
    """Write the whole index to one file, whole or not at all, and return how many documents it has.

    :param store: what is written, as of one commit.
    :param path: the file; one that is there is replaced.
    :param progress: is told how far it is.
    :return: the number of documents.
    :raises InputError: pyarrow is missing, or the file cannot be written.
    """
    arrow, parquet = _pyarrow()
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        _check_place(path, store.folder)
        with store.reading():
            made = store.manifest
            about = {"format": FORMAT, "encoder_id": made.encoder_id, "dim": made.dim}
            schema = _schema(arrow, made.dim).with_metadata({_KEY: json.dumps(about)})
            infos = store.documents()
            digest = hashlib.sha256()
            with parquet.ParquetWriter(
                temporary, schema, compression="zstd", write_page_checksum=True
            ) as writer:
                for done, group in _groups(infos):
                    rows = [_to_row(store, info) for info in group]
                    for row in rows:
                        digest.update(_canonical(row))
                    writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                    if progress:
                        progress(f"{done} of {len(infos)} documents")
                writer.add_key_value_metadata({_DIGEST: digest.hexdigest()})
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): choose another place"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return len(infos)


def import_store(path: Path, folder: Path, progress: Progress | None = None) -> int:
    """Make an index of an exported file, in one commit, and return how many documents it has.

    :param path: the file.
    :param folder: where the index will be; it must not hold documents.
    :param progress: is told how far it is.
    :return: the number of documents.
    :raises InputError: pyarrow is missing, the file is not such a file or is damaged, or the folder
        has an index already.
    """
    arrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            about = _about(path, file.schema_arrow.metadata or {})
            with _filling(folder, about) as store:
                done, digest = 0, hashlib.sha256()
                for group in range(file.num_row_groups):
                    for row in file.read_row_group(group).to_pylist():
                        digest.update(_canonical(row))
                        _put_row(store, row, about["dim"])
                        done += 1
                    if progress:
                        progress(f"{done} of {file.metadata.num_rows} documents")
                if file.metadata.metadata.get(_DIGEST.encode()) != digest.hexdigest().encode():
                    raise ValueError("its content is not what was exported")
    except (OSError, arrow.ArrowException, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{str(path)!r} cannot be imported ({str(error).splitlines()[0]}): export it anew with "
            f"`qa export`"
        ) from error
    return done


def _check_place(path: Path, folder: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if path.resolve().is_relative_to(folder.resolve()):
        raise PermissionError(errno.EPERM, f"it is inside the index {str(folder)!r}")


def _canonical(row: dict[str, Any]) -> bytes:
    return json.dumps(row, sort_keys=True, default=bytes.hex).encode()


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            "exporting and importing need pyarrow: pip install 'qa-sentence-citations[parquet]'"
        ) from error
    return pyarrow, pyarrow.parquet


def _schema(arrow: ModuleType, dim: int) -> pyarrow.Schema:
    text, number = arrow.string(), arrow.int64()
    sentence = arrow.struct(
        [
            *(("start", number), ("end", number), ("heading", arrow.bool_()), ("context", text)),
            *(("label", text), ("metadata", text), ("vector", arrow.binary(2 * dim))),
        ]
    )
    origin = arrow.struct(
        [
            *(("root", text), ("path", text), ("sha256", text), ("size", number)),
            *(("mtime_ns", number), ("recipe", text)),
        ]
    )
    page = arrow.struct([("number", number), ("start", number), ("end", number)])
    return arrow.schema(
        [
            *(("id", text), ("title", text), ("text", text), ("pages", arrow.list_(page))),
            *(("notices", arrow.list_(text)), ("origin", origin)),
            ("sentences", arrow.list_(sentence)),
        ]
    )


def _groups(infos: Sequence[DocumentInfo]) -> Iterator[tuple[int, list[DocumentInfo]]]:
    """Yield documents in groups of some thousand sentences, with how many there were so far."""
    group: list[DocumentInfo] = []
    for done, info in enumerate(infos, start=1):
        group.append(info)
        if sum(one.sentences for one in group) >= _GROUP_SENTENCES or done == len(infos):
            yield done, group
            group = []


def _to_row(store: Store, info: DocumentInfo) -> dict[str, object]:
    document, rows = store.document(info.id), store.rows([info.id])
    contexts, labels = store.contexts_at(rows), store.labels_at(rows)
    vectors = store.vectors_at(rows)
    sentences = [
        {
            "start": sentence.start,
            "end": sentence.end,
            "heading": sentence.heading,
            "context": contexts[row],
            "label": labels[row].id if row in labels else None,
            "metadata": labels[row].metadata if row in labels else None,
            "vector": vectors[row].astype("<f2").tobytes() if row in vectors else None,
        }
        for row, sentence in zip(rows, store.sentences(info.id), strict=True)
    ]
    return {
        "id": document.id,
        "title": document.title,
        "text": document.text,
        "pages": [asdict(page) for page in document.pages],
        "notices": list(document.notices),
        "origin": asdict(info.origin),
        "sentences": sentences,
    }


def _about(path: Path, metadata: dict[bytes, bytes]) -> dict[str, Any]:
    if _KEY not in metadata:
        raise InputError(f"{str(path)!r} was not written by `qa export`")
    about: dict[str, Any] = json.loads(metadata[_KEY])
    if about["format"] != FORMAT:
        raise InputError(
            f"{str(path)!r} has format {about['format']}, this program reads format {FORMAT}: "
            f"export it anew with a program of this version"
        )
    return about


@contextmanager
def _filling(folder: Path, about: dict[str, Any]) -> Iterator[Store]:
    """Open an empty index and make one commit; one that was made for it goes when that fails."""
    is_new = not (folder / DATABASE).exists()
    try:
        store = Store.open(folder, about["encoder_id"], about["dim"])
    except IndexMismatch as error:
        raise InputError(f"there is an index in {str(folder)!r}: choose another --store") from error
    with store:
        if store.documents():
            raise InputError(f"there is an index in {str(folder)!r}: choose another --store")
        try:
            with store.writing():
                yield store
        except BaseException:
            if is_new:
                store.close()
                erase(folder)
            raise


def _put_row(store: Store, row: dict[str, Any], dim: int) -> None:
    text = row["text"]
    pages = tuple(Page(**page) for page in row["pages"])
    document = Document(row["id"], row["title"], text, pages, tuple(row["notices"]))
    sentences, chunks, vectors, labels = [], [], [], {}
    for index, one in enumerate(row["sentences"]):
        start, end = one["start"], one["end"]
        sentence = Sentence(document.id, index, start, end, text[start:end], one["heading"])
        sentences.append(sentence)
        if one["vector"] is not None:
            chunks.append(Chunk(sentence, one["context"]))
            vectors.append(np.frombuffer(one["vector"], dtype="<f2"))
        if one["label"] is not None:
            labels[index] = Label(one["label"], one["metadata"])
    matrix = np.array(vectors, dtype=np.float32).reshape(len(vectors), dim)
    origin = Origin(**row["origin"])
    if not is_there(Path(origin.path)):
        origin = Origin()  # else the first synchronisation would take the document for deleted
    store.put(document, origin, sentences, chunks, matrix)
    store.label(document.id, labels)
