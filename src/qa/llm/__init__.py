"""Language models behind one seam, ``ChatModel``: Ollama and an embedded llama.cpp."""
