"""What is there, what is missing, and what to do about it; it changes and repairs nothing.

Every check works when the thing that it looks at is missing or broken, and loads no model.

Example: ``print(render(examine(load_settings())))``.
"""

from __future__ import annotations

from qa.doctor import answering, collection, encoder, machine, ollama
from qa.doctor.checks import Check, render
from qa.settings import Settings

__all__ = ["Check", "examine", "render"]


def examine(settings: Settings, *, deep: bool = False) -> tuple[Check, ...]:
    """Look at everything that an answer depends on.

    :param settings: where to look.
    :param deep: also hash the models and read the whole index, which takes seconds.
    :return: the checks, the machine first, then the models, then the index.
    """
    server = ollama.probe(settings)
    embedded = answering.embedded_model(settings, deep=deep)
    return (
        machine.python(),
        machine.packages(),
        machine.settings_in_force(settings),
        machine.memory(),
        *machine.disks(settings),
        ollama.check(settings, server),
        embedded,
        answering.answers_by(settings, server, embedded),
        answering.calibration(settings, server, embedded),
        encoder.check(settings, deep=deep),
        *encoder.cross_encoders(settings),
        collection.documents(settings),
        collection.index(settings, deep=deep),
    )
