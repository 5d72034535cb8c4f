"""Language models behind one seam, :class:`qa.llm.base.ChatModel`; they know nothing of documents.

``choose_model`` takes Ollama's, the embedded one, or none.

Example: ``from qa.llm.choose import ModelOptions, choose_model``.
"""
