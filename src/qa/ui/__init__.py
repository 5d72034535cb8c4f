"""The chat page: formatting only. It shows what an assistant says and where it says it from.

It knows nothing of retrieval, prompts or models; it depends on :class:`ChatAssistant` alone. Gradio
is loaded when a page is started, not when this package is imported.

Example: ``serve(assistant, port=7860)`` prints the page's address and returns after Ctrl-C.
"""

from qa.ui.protocol import ChatAssistant, DocumentInfo
from qa.ui.serve import Page, serve, start

__all__ = ["ChatAssistant", "DocumentInfo", "Page", "serve", "start"]
