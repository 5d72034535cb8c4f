"""Trains the voter: the adapter with which the embedded model names a document's sentences.

``python -m qa_eval.voter --out src/qa/data/voter.gguf`` (eval/README.md says what it needs).
"""
