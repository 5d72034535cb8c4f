"""A few fixed questions and loose floors: has something broken? Run before a change is merged.

The floors are far below what the system does; they hold on any machine. A measure that the run did
not give counts as broken.

Example: ``all(verdict.held for verdict in load_gate(path).verdicts(figures))``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qa.errors import InputError
from qa_eval.bootstrap import Figure
from qa_eval.data import Item


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    data: str
    ids: list[str] = Field(min_length=1)
    at_least: dict[str, float]
    at_most: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One measure, its bound, and whether the bound held."""

    name: str
    value: float | None
    bound: float
    held: bool
    sign: str

    def __str__(self) -> str:
        shown = "not measured" if self.value is None else f"{self.value:.3f}"
        return (
            f"{self.name:<26} {shown} {self.sign} {self.bound:g}  {'ok' if self.held else 'BROKEN'}"
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """The questions to ask, of which set, and the bounds."""

    data: Path
    ids: tuple[str, ...]
    at_least: Mapping[str, float]
    at_most: Mapping[str, float]

    def choose(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """Return the gate's questions.

        :raises InputError: one is not in the set.
        """
        found = {item.id: item for item in items}
        lost = [id_ for id_ in self.ids if id_ not in found]
        if lost:
            raise InputError(
                f"{self.data} has no question {', '.join(map(repr, lost))}; correct the gate's ids"
            )
        return tuple(found[id_] for id_ in self.ids)

    def verdicts(self, figures: Mapping[str, Figure]) -> list[Verdict]:
        """Hold every bound against the figures."""
        found = []
        for sign, bounds in (("≥", self.at_least), ("≤", self.at_most)):
            for name, bound in bounds.items():
                value = figures[name].value if name in figures else None
                held = value is not None and (value >= bound if sign == "≥" else value <= bound)
                found.append(Verdict(name, value, bound, held, sign))
        return found


def load_gate(path: Path) -> Gate:
    """Read a gate; ``data`` in it is relative to the file.

    :raises InputError: naming file and field.
    """
    try:
        file = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"the gate {str(path)!r} cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "(whole file)"
        raise InputError(f"{path}, field {field!r}: {first['msg']}; correct it") from error
    return Gate(path.parent / file.data, tuple(file.ids), file.at_least, file.at_most)
