"""The options of a manager from environment variables: `OUTLIVE_RETRIES=3` is `TaskManager(retries=3)`."""

import difflib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_core import to_json
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from outlive.core.queues import QueueConfig
from outlive.errors import ConfigError

PREFIX = "OUTLIVE_"

#: What other parts of outlive read.
_OTHERS = frozenset({"OUTLIVE_APP"})
HIDDEN = "••••••"


class Settings(BaseSettings):
    """Every option of `TaskManager` that can be written as text; what is not set is None.

    Lists are divided by commas, mappings are JSON: `OUTLIVE_QUEUES={"mails": {"concurrency": 3}}`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    backend: str | None = None
    snapshot_db: str | None = None
    snapshot_interval: float | None = None
    merged_list_ttl: float | None = None
    requeue_pending: bool | None = None
    max_concurrent_tasks: int | None = None
    max_sync_threads: int | None = None
    max_process_workers: int | None = None
    shutdown_grace: float | None = None
    shutdown_timeout: float | None = None
    process_shutdown_timeout: float | None = None
    lease: float | None = None
    poll_interval: float | None = None
    journal_capacity: int | None = None
    room: int | None = None
    queues: dict[str, QueueConfig] | None = None
    max_size: int | None = None
    run_tasks: bool | None = None
    run_queues: Annotated[list[str] | None, NoDecode] = None

    # What surrounds the tasks.
    encrypt_args_key: Annotated[list[SecretStr] | None, NoDecode] = None
    log_file: Path | None = None
    log_file_max_bytes: int | None = None
    log_file_backup_count: int | None = None
    log_file_mode: Literal["rotate", "watched"] | None = None
    log_lifecycle: bool | None = None
    max_result_size: int | None = None
    retention_days: float | None = None
    audit_days: float | None = None
    retention: dict[str, float] | None = None

    # Defaults for all tasks.
    retries: int | None = None
    delay: float | None = None
    backoff: float | None = None
    max_delay: float | None = None
    retry_jitter: float | None = None
    timeout: float | None = None
    executor: Literal["async", "thread", "process"] | None = None
    priority: int | None = None
    queue: str | None = None
    concurrency_key: str | None = None
    concurrency_limit: int | None = None
    rate_limit: str | None = None
    tags: dict[str, str] | None = None
    persist: bool | None = None
    eager: bool | None = None
    requeue_on_interrupt: bool | None = None
    shield: bool | None = None
    even_on_error: bool | None = None

    @field_validator("run_queues", "encrypt_args_key", mode="before")
    @classmethod
    def _divided(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of a manager, and who has said so."""

    name: str
    variable: str
    #: As text, without keys and passwords; None where there is none.
    value: str | None
    source: Literal["environment", "code", "default"]


def options_from_environment() -> dict[str, Any]:
    """The options that the environment sets, as `TaskManager` takes them; `ConfigError` names a wrong variable."""
    _refuse_unknown(os.environ)
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]  # an input may be a secret
        raise ConfigError(f"{_variable(str(wrong['loc'][0]))} makes no sense: {wrong['msg']}") from None
    except ValueError as error:  # a mapping that is no JSON
        raise ConfigError(f"a variable of outlive makes no sense: {error}") from None
    options = {name: value for name in Settings.model_fields if (value := getattr(settings, name)) is not None}
    if "encrypt_args_key" in options:
        options["encrypt_args_key"] = [key.get_secret_value() for key in options["encrypt_args_key"]]
    path = options.pop("snapshot_db", None)
    return options if path is None else {"backend": path} | options


def settings_of(
    given: Mapping[str, Any], by_environment: Collection[str], defaults: Mapping[str, Any]
) -> list[Setting]:
    """Every option that has a variable, with its value and where that is from."""
    settings: list[Setting] = []
    for name in Settings.model_fields:
        source: Literal["environment", "code", "default"] = "default"
        if given.get(name) is not None:
            source = "environment" if name in by_environment else "code"
        value = defaults.get(name) if source == "default" else given[name]
        settings.append(Setting(name, _variable(name), _shown(name, value), source))
    return settings


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {*map(_variable, Settings.model_fields), *_OTHERS}
    for name in environment:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper().removeprefix(PREFIX).lower(), Settings.model_fields, 1)
            hint = f"did you mean {_variable(close[0])}?" if close else f"known are {', '.join(sorted(known))}"
            raise ConfigError(f"the environment variable {name} is unknown to outlive; {hint}")


def _shown(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if name == "encrypt_args_key":
        return HIDDEN
    if name == "backend" and not isinstance(value, (str, Path)):
        return type(value).__name__
    text = to_json(value).decode() if isinstance(value, Mapping) else str(value)
    return _without_password(text) if name in ("backend", "snapshot_db") else text


def _without_password(url: str) -> str:
    password = urlsplit(url).password if "://" in url else None
    return url if password is None else url.replace(f":{password}@", f":{HIDDEN}@", 1)
