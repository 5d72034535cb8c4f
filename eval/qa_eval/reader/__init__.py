"""Trains the reader: the adapter with which the embedded model reads one passage strictly.

``python -m qa_eval.reader --out src/qa/data/reader.gguf`` (eval/README.md says what it needs).
"""
