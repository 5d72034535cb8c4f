"""Texts → unit vectors by a sentence-transformers model; it knows nothing of documents or stores.

Example: ``load_encoder("bundled", cache).encode(["Où est Bagdad ?"], query=True)``, (1, dim).
"""

from qa.embed.encoder import Encoder, SentenceEncoder, load_encoder
from qa.embed.loading import BUNDLED

__all__ = ["BUNDLED", "Encoder", "SentenceEncoder", "load_encoder"]
