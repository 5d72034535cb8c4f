"""Settings: one frozen object, read at the entry point from ``qa.toml`` and ``QA_*`` variables.

Library modules never read files or the environment for settings; they are passed what they need.

Example: ``QA_BACKEND=extractive qa ask "…"``, or a line ``backend = "extractive"`` in ``qa.toml``.
"""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_cache_path
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from qa.errors import InputError

Backend = Literal["auto", "ollama", "embedded", "extractive"]

# Seconds, or a duration as Go writes it, which is what Ollama reads.
_KEEP_ALIVE = re.compile(
    r"[-+]?(?:[0-9]+|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)"
)


class _TomlFile(TomlConfigSettingsSource):
    """A TOML file, which may begin with the mark that some editors put there."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        return tomllib.loads(file_path.read_text(encoding="utf-8-sig"))


class Settings(BaseSettings):
    """Every setting with its default; the README documents them."""

    model_config = SettingsConfigDict(
        env_prefix="QA_", env_ignore_empty=True, toml_file="qa.toml", frozen=True, extra="forbid"
    )

    documents: Annotated[tuple[Path, ...], NoDecode] = (Path("index/documents"),)
    store: Path = Path("index/store")
    cache: Path = Field(default_factory=lambda: user_cache_path("qa-sentence-citations"))
    backend: Backend = "auto"
    encoder: str = "bundled"
    nli: str | None = None
    reranker: str | None = None
    gguf: Path | None = None
    ollama_url: str = "http://127.0.0.1:11434"
    ollama_model: str | None = None
    ollama_keep_alive: str = Field(default="30m", coerce_numbers_to_str=True)
    ollama_timeout_s: float = Field(default=300.0, gt=0)
    context_tokens: int = Field(default=4096, ge=512)
    threads: int | None = Field(default=None, ge=1)
    seed: int = 1
    prefix_cache_mb: int = Field(default=512, ge=0)
    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=0, le=65535)
    max_file_mb: int = Field(default=50, ge=1)
    max_pages: int = Field(default=2000, ge=1)
    max_unpacked_mb: int = Field(default=500, ge=1)
    max_unpacked_ratio: int = Field(default=200, ge=1)
    max_entries: int = Field(default=10_000, ge=1)
    max_sentences: int = Field(default=500_000, ge=1)
    parse_seconds: int = Field(default=120, ge=1)
    parse_memory_mb: int = Field(default=2048, ge=512)

    @field_validator("documents", mode="before")
    @classmethod
    def _is_one_or_several(cls, value: object) -> object:
        if value == "":
            raise ValueError("it is empty; write a path, or leave it out")
        if not isinstance(value, str | Path):
            return value
        if not str(value).startswith("["):
            return [value]
        try:
            return json.loads(str(value))
        except ValueError as error:
            raise ValueError("""write one path, or a JSON list such as '["a", "b"]'""") from error

    @field_validator("ollama_keep_alive")
    @classmethod
    def _is_a_duration(cls, value: str) -> str:
        if not _KEEP_ALIVE.fullmatch(value):
            raise ValueError(
                f"{value!r} is no duration; write '30m', '1h30m', seconds, or -1 for ever"
            )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read, strongest first: arguments, ``QA_*`` variables, ``qa.toml``."""
        return init_settings, env_settings, _TomlFile(settings_cls)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; ``overrides`` that are None are left out.

    :raises InputError: a value that does not fit its type, or a name that does not exist.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValueError as error:
        wrong = _in_one_line(error) if isinstance(error, ValidationError) else str(error)
        raise InputError(f"settings (qa.toml and QA_* variables): {wrong}") from error


def _in_one_line(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))} = {one['input']!r}: "
        + one["msg"].removeprefix("Value error, ")
        for one in error.errors()
    )
