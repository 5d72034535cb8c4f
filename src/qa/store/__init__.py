"""The local store: one folder with SQLite as the truth and FAISS derived from it.

`Store` is used as it is; `qa.store.llama` offers it as a LlamaIndex vector store.
"""

from qa.store.blocks import Vectors
from qa.store.fuse import fuse, mean
from qa.store.local import Store
from qa.store.prefixes import prefix_owner
from qa.store.records import DocumentInfo, Label, Origin
from qa.store.remains import erase
from qa.store.salvage import Salvaged, salvage, set_aside
from qa.store.schema import Manifest
from qa.store.scores import Scored

__all__ = [
    "DocumentInfo",
    "Label",
    "Manifest",
    "Origin",
    "Salvaged",
    "Scored",
    "Store",
    "Vectors",
    "erase",
    "fuse",
    "mean",
    "prefix_owner",
    "salvage",
    "set_aside",
]
