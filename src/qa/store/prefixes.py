"""Saved model prefixes go with their document: deleted when it is removed or its text changes.

A saved prefix is a pair of files, whose ``.json`` names its owner. It knows nothing of what else is
in them, or of models (`qa.llm.prefixes`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from qa.store.database import Database
from qa.store.records import text_digest
from qa.types import Document

_IS_STORED: Final = "SELECT 1 FROM documents WHERE id = ? AND text_sha256 = ?"


def prefix_owner(document: Document) -> str:
    """Return what names a document, as its text is now, as the owner of a saved prefix."""
    return f"{text_digest(document.text)} {document.id}"


def drop_prefixes(db: Database, folder: Path) -> None:
    """Delete the saved prefixes of documents that are not in the index, or not as they were.

    :param db: the index's database.
    :param folder: of the saved prefixes; it need not be there.
    :raises OSError: a file cannot be deleted.
    """
    for sidecar in folder.glob("*.json"):
        digest, _, document_id = _owner(sidecar).partition(" ")
        if document_id and not db.run(_IS_STORED, document_id, digest):
            sidecar.with_suffix(".bin").unlink(missing_ok=True)
            sidecar.unlink(missing_ok=True)


def _owner(sidecar: Path) -> str:
    """Return the owner, or nothing; what is damaged is deleted by who would read it."""
    try:
        described = json.loads(sidecar.read_bytes())
    except (OSError, ValueError):
        return ""
    return str(described.get("owner", "")) if isinstance(described, dict) else ""
