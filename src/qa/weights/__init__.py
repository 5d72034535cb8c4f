"""Where model files come from; it knows nothing of inference.

Both default models are shipped inside Python packages. They are put together once in the cache
folder, verified, and only looked at (size and time) by later starts.

Example: ``find_gguf(None, settings.cache)`` is a GGUF file, ``find_encoder(settings.cache)`` a
folder that ``SentenceTransformer`` loads.
"""

from qa.weights.encoder import ENCODER_NAME, encoder_available, find_encoder, verify_encoder
from qa.weights.gguf import (
    GGUF_BYTES,
    GGUF_NAME,
    GGUF_SHA256,
    find_gguf,
    gguf_available,
    stamped_sha256,
    verify_gguf,
)

__all__ = [
    "ENCODER_NAME",
    "GGUF_BYTES",
    "GGUF_NAME",
    "GGUF_SHA256",
    "encoder_available",
    "find_encoder",
    "find_gguf",
    "gguf_available",
    "stamped_sha256",
    "verify_encoder",
    "verify_gguf",
]
