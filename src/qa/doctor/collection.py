"""The documents and their index: what is not in it and why, and whether it is whole.

Example: ``index(settings, deep=True)`` reads all of it.
"""

from __future__ import annotations

from pathlib import Path

from qa.doctor.checks import Check
from qa.doctor.encoder import encoder_id
from qa.documents import Parser, find_sources, read_document
from qa.errors import IndexMismatch, IndexMissing, InputError, QAError
from qa.options import document_limits
from qa.settings import Settings
from qa.store import Store

_MOST_SKIPPED = 50  # files that are read to say why they are not in the index


def documents(settings: Settings) -> Check:
    """Look for documents that are not in the index, and read them to say why."""
    missing = [str(path) for path in settings.documents if not path.exists()]
    there = [str(path) for path in settings.documents if path.exists()]
    if missing:
        remedy = "make the folder and put documents in it, or: qa index PATH"
        detail = f"not there: {', '.join(missing)}"
        return Check("Documents", "warning", detail, remedy)
    skipped = _skipped(settings)
    if skipped:
        remedy = "what can be read is read by: qa index; mend or remove the others"
        return Check("Documents", "warning", "\n".join([", ".join(there), *skipped]), remedy)
    return Check("Documents", "ok", ", ".join(there))


def index(settings: Settings, *, deep: bool) -> Check:
    """Look whether the index is whole and made with the encoder in force; ``deep`` reads it all."""
    name, folder = "Index", str(settings.store)
    try:
        with Store.open(settings.store) as store:
            infos, faults = store.documents(), store.check(deep=deep)
            made_for, size_bytes = store.manifest.encoder_id, store.size_bytes
    except IndexMissing:
        remedy = "qa index PATH, or qa serve, which indexes the documents folder"
        return Check(name, "warning", f"nothing in {folder!r} yet", remedy)
    except IndexMismatch as error:
        return Check(name, "problem", str(error), "qa index --rebuild PATH")
    except QAError as error:
        return Check(name, "problem", str(error), "check the folder, or choose another: --store")
    sentences = sum(info.sentences for info in infos)
    detail = (
        f"{folder!r}: documents {len(infos)}, sentences {sentences}, "
        f"{size_bytes / 1e6:.1f} MB, made with {made_for}"
    )
    if faults:
        detail = "\n".join([detail, *faults])
        from_text = all("--rebuild" not in fault for fault in faults)
        remedy = "qa index --reembed" if from_text else "qa index --rebuild PATH"
        return Check(name, "problem", detail, remedy)
    if (wanted := encoder_id(settings)) and wanted != made_for:
        remedy = "qa index --reembed, or set encoder (QA_ENCODER) back"
        return Check(name, "problem", f"{detail}; the encoder is {wanted}", remedy)
    how = "every checksum verified" if deep else "consistent"
    return Check(name, "ok", f"{detail}; {how}")


def _skipped(settings: Settings) -> list[str]:
    """Return a line for each file below the indexed paths that the index does not have."""
    try:
        with Store.open(settings.store) as store:
            indexed = {info.id: info for info in store.documents()}
    except QAError:
        return []  # there is no index yet, or the check of the index says what is wrong with it
    roots = {Path(info.root) for info in indexed.values() if info.root}
    paths = [path for path in {*settings.documents, *roots} if path.exists()]
    places = {info.path for info in indexed.values()}
    lines = []
    with Parser(document_limits(settings)) as parser:
        absent = [
            source
            for source in find_sources(paths, parser)
            if str(source.path.resolve()) not in places
        ]
        for source in absent[:_MOST_SKIPPED]:
            try:
                read_document(source, parser=parser)
            except InputError as error:
                lines.append(f"skipped: {error}")
            else:
                lines.append(f"not indexed yet: {str(source.path)!r}")
    more = len(absent) - _MOST_SKIPPED
    return [*lines, f"and {more} more"] if more > 0 else lines
