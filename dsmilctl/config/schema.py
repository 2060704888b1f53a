"""Schema: every setting with its meaning, unit and limits; the one authority on what settings are valid.

Precedence: flags, environment, `.env`, project file, user file, system file, defaults.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

LogLevel = Literal["debug", "info", "warning", "error"]

STRICT = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


def _unit(name: str) -> dict[str, Any]:
    return {"unit": name}


class ReconnectSettings(BaseModel):
    """When a device that failed is tried again: exponential backoff with jitter."""

    model_config = STRICT

    first: float = Field(default=0.5, gt=0, le=3600, json_schema_extra=_unit("seconds"))
    """The pause before the first new attempt; it doubles with every failure."""

    cap: float = Field(default=30.0, gt=0, le=86400, json_schema_extra=_unit("seconds"))
    """The longest pause."""

    jitter: float = Field(default=0.2, ge=0, le=1, json_schema_extra=_unit("parts of one"))
    """How much of a pause is drawn by chance, so that many devices do not come back at once."""

    give_up: int = Field(default=0, ge=0, le=1_000_000, json_schema_extra=_unit("failures in a row"))
    """After how many failures only an order connects the device again; 0 never gives up."""


class ArchiveSettings(BaseModel):
    """How recordings are made and kept."""

    model_config = STRICT

    interval: float = Field(default=1.0, ge=0.001, le=86400, json_schema_extra=_unit("seconds"))
    """From one reading to the next, where `--interval` does not say otherwise."""

    also: str = Field(default="", pattern=r"^((csv|ndjson|parquet|dsm)(,(csv|ndjson|parquet|dsm))*)?$")
    """Formats (csv, ndjson, parquet, dsm, with commas) that are written beside the archive, in the same
    commits, where `--also` names none."""

    commit_interval: float = Field(default=0.1, ge=0.01, le=60, json_schema_extra=_unit("seconds"))
    """From one commit to the next: what a killed recorder loses at most."""

    segment_readings: int = Field(
        default=1_000_000, ge=1000, le=4_000_000, json_schema_extra=_unit("readings")
    )
    """How many readings are sealed into one file."""

    waiting_readings: int = Field(
        default=2_000_000, ge=1000, le=100_000_000, json_schema_extra=_unit("readings")
    )
    """How many readings are kept in memory while the disk takes none; older ones are lost and counted."""

    journal_interval: float = Field(default=1.0, ge=0.05, le=3600, json_schema_extra=_unit("seconds"))
    """From one look into the journal for new operations to the next."""

    health_interval: float = Field(default=0.5, ge=0.05, le=60, json_schema_extra=_unit("seconds"))
    """How often a recorder tells `record status` how it is."""

    host_interval: float = Field(default=1.0, ge=0.05, le=3600, json_schema_extra=_unit("seconds"))
    """From one look at the machine (`--host-metrics`) to the next."""

    kernel_interval: float = Field(default=1.0, ge=0.05, le=3600, json_schema_extra=_unit("seconds"))
    """From one look at the kernel's messages (`--kernel`) to the next."""

    critical_temperature: float = Field(default=100.0, gt=0, le=1000, json_schema_extra=_unit("°C"))
    """From which temperature on a sensor is critical that names no limit of its own."""

    limit_action: Literal["stop", "event"] = "stop"
    """What a critical temperature does: an emergency stop of what is recorded, or only an event."""

    pre_trigger: float = Field(default=30.0, ge=0, le=86400, json_schema_extra=_unit("seconds"))
    """How much is kept of what came before an event of `--when`, where `--pre-trigger` does not say it."""

    post_trigger: float = Field(default=10.0, ge=0, le=86400, json_schema_extra=_unit("seconds"))
    """How much is kept of what comes after an event of `--when`, where `--post-trigger` does not say it."""

    ring_readings: int = Field(default=1_000_000, ge=1, le=100_000_000, json_schema_extra=_unit("readings"))
    """How many readings wait in memory for an event of `--when`, at the most."""

    stop_wait: float = Field(default=60.0, gt=0, le=3600, json_schema_extra=_unit("seconds"))
    """How long `record start` waits for its recorder to begin, and `record stop` for it to end."""

    correlation_window: float = Field(default=5.0, ge=0, le=3600, json_schema_extra=_unit("seconds"))
    """How long behind a token test or an operation something can be its effect."""

    response_interval: float = Field(default=2.0, ge=0.05, le=3600, json_schema_extra=_unit("seconds"))
    """From one look at the status of the DSMIL devices to the next; only changes are kept."""

    keep_raw: float = Field(default=0.0, ge=0, le=1e10, json_schema_extra=_unit("seconds"))
    """How long `record maintain` keeps readings, where `--keep-raw` does not say it; 0 is for ever."""

    keep_seconds: float = Field(default=0.0, ge=0, le=1e10, json_schema_extra=_unit("seconds"))
    """How long stretches of 1 s are kept, where `--keep-seconds` does not say it; 0 is for ever."""

    keep_minutes: float = Field(default=0.0, ge=0, le=1e10, json_schema_extra=_unit("seconds"))
    """How long stretches of 1 min are kept, where `--keep-minutes` does not say it; 0 is for ever."""

    keep_hours: float = Field(default=0.0, ge=0, le=1e10, json_schema_extra=_unit("seconds"))
    """How long stretches of 1 h are kept, where `--keep-hours` does not say it; 0 is for ever."""


class SettingsSchema(BaseModel):
    """Every setting of dsmilctl."""

    model_config = STRICT

    context: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")
    """The context to talk to; empty: the one chosen with `context use`, else `local`."""

    output: Literal["table", "wide", "json", "ndjson", "csv", "plain"] = "table"
    """How results are printed when no `-o` says otherwise."""

    color: Literal["auto", "always", "never"] = "auto"
    """Whether to use colour; `auto` asks the terminal and `NO_COLOR`."""

    timeout: float = Field(default=2.0, gt=0, le=3600, json_schema_extra=_unit("seconds"))
    """How long one attempt to reach one device may take."""

    deadline: float = Field(default=0.0, ge=0, le=604800, json_schema_extra=_unit("seconds"))
    """How long a command may take in all; 0 is no limit."""

    retry: int = Field(default=0, ge=0, le=100, json_schema_extra=_unit("attempts"))
    """How often a failed read is tried again; a change is never repeated."""

    concurrency: int = Field(default=0, ge=0, le=100_000, json_schema_extra=_unit("devices"))
    """How many devices a bulk asks at once; 0 is all of them."""

    read_only: bool = False
    """Whether every change is refused, in every context."""

    stop_deadline: float = Field(default=2.0, gt=0, le=3600, json_schema_extra=_unit("seconds"))
    """How long an emergency stop waits for devices to confirm."""

    keyring: bool = False
    """Whether secrets are kept in the system keyring instead of files of mode 0600."""

    log_level: LogLevel = "warning"
    """The least severe messages that are logged."""

    log_levels: dict[str, LogLevel] = Field(default_factory=dict)
    """Levels of single parts of the program, such as `drivers.host` or `guard`."""

    log_file: str = ""
    """A file to log to as well; it is rotated at 10 MB and five old ones are kept."""

    log_format: Literal["text", "json"] = "text"
    """How the log is written."""

    refresh: float = Field(default=1.0, ge=0.05, le=3600, json_schema_extra=_unit("seconds"))
    """How often the dashboard and `--watch` ask the devices."""

    theme: Literal["dark", "light", "ansi"] = "dark"
    """The colours of the dashboard; `ansi` are the terminal's own."""

    arm_seconds: float = Field(default=60.0, gt=0, le=3600, json_schema_extra=_unit("seconds"))
    """How long writes stay armed in the dashboard."""

    low_bandwidth: bool = False
    """Whether the dashboard draws less, for a slow line."""

    reconnect: ReconnectSettings = Field(default_factory=ReconnectSettings)
    """When a device that failed is tried again."""

    archive: ArchiveSettings = Field(default_factory=ArchiveSettings)
    """Recordings: how often, how much, how long."""


class LayerSource(PydanticBaseSettingsSource):
    """One layer of values as a source of pydantic-settings."""

    def __init__(self, model: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(model)
        self._values = values

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """One value; the layers are asked as a whole, so this is only here for the contract."""
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values of the layer."""
        return self._values


def merge(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """The settings in force from layers, strongest first; raises pydantic's ValidationError."""

    class LayeredSettings(BaseSettings, SettingsSchema):
        model_config = STRICT  # type: ignore[assignment]  # a plain ConfigDict is what pydantic-settings extends

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(LayerSource(settings_cls, values) for values in layers)

    return LayeredSettings().model_dump()
