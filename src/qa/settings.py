"""Settings: one frozen object, read at the entry point from ``qa.toml`` and ``QA_*`` variables.

Library modules never read files or the environment for settings; they are passed what they need.

Example: ``QA_BACKEND=extractive qa ask "…"``, or a line ``backend = "extractive"`` in ``qa.toml``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from qa.errors import InputError

Backend = Literal["auto", "ollama", "embedded", "extractive"]


class Settings(BaseSettings):
    """Every setting with its default; the README documents them."""

    model_config = SettingsConfigDict(
        env_prefix="QA_", toml_file="qa.toml", frozen=True, extra="forbid"
    )

    documents: tuple[Path, ...] = (Path("index/documents"),)
    store: Path = Path("index/store")
    cache: Path = Field(default_factory=lambda: user_cache_path("qa-sentence-citations"))
    backend: Backend = "auto"
    encoder: str = "bundled"
    nli: str | None = None
    reranker: str | None = None
    gguf: Path | None = None
    ollama_url: str = "http://127.0.0.1:11434"
    ollama_model: str | None = None
    ollama_keep_alive: str = "30m"
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
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; ``overrides`` that are None are left out.

    :raises InputError: a value that does not fit its type, or a name that does not exist.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except (ValidationError, ValueError) as error:
        raise InputError(f"settings (qa.toml and QA_* variables): {error}") from error
