"""The errors that the package raises: what happened, the value, and what to do next."""


class QAError(Exception):
    """Something that the person can act on; the message tells how."""


class InputError(QAError):
    """A document, a question or a setting that cannot be used as it is."""


class IndexMissing(QAError):
    """There is no index, or nothing in it, where one is needed."""


class IndexMismatch(QAError):
    """The index does not fit the encoder, the format version or its own checksums."""


class ModelUnavailable(QAError):
    """A model or its server is not there, or stopped answering."""


class PromptTooLong(QAError):
    """A prompt does not fit the model's context; the two counts say by how much."""

    def __init__(self, message: str, *, prompt_tokens: int = 0, context_tokens: int = 0) -> None:
        super().__init__(message)
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class PromptError(QAError):
    """A prompt template lacks a variable, or was given one that it does not declare."""
