"""Settings: `TOLLBOOK_*` in the environment, or in the file of settings (`tollbook.env_file`).

All wrong settings are reported together, by name, with what to do. pyiceberg reads its own `PYICEBERG_*`.
"""

import difflib
import os
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tollbook.database_url import check_database_url
from tollbook.embedded import running_url
from tollbook.env_file import ENV_FILE, load_env_file
from tollbook.errors import SettingsError
from tollbook.model.event import ACCOUNT_VARIABLE, DIRECTION_VARIABLE, PARENT_VARIABLE
from tollbook.model.party import MAX_NAME, MAX_TAX_ID, Party, checked_text
from tollbook.model.recordings import RecordingPaths
from tollbook.model.trunks import TrunkRules
from tollbook.setting_values import (
    ApiUrl,
    Bind,
    BindAddress,
    EslAddress,
    EslAddresses,
    GatewayPrefixes,
    Networks,
    Peers,
    PostalAddress,
    RecordingsRoot,
    RecordingsUrl,
    Size,
    Taxes,
    VariableNames,
    Zone,
)

_PREFIX = "TOLLBOOK_"
RATE_LIMIT = 600  # requests a minute and key: ten a second, or 100,000 rows a second in the largest pages

# Each day is a partition. A page that names no time plans for all of them and locks six relations of each: measured on
# two busy cores, that takes 3 ms for 30 days, some 100 ms for a year, and 350 ms for 800 days.
MAX_RETENTION_DAYS = 366

# A month: who leaves a browser open for longer signs in again.
MAX_SESSION_HOURS = 744

# Each has two connections to PostgreSQL, up to 200 MB, and its spool (`tollbook.spool_files`).
MAX_WORKERS = 16

# Each question holds a thread of the API while it is answered.
MAX_ENGINE_QUESTIONS = 8

# How many days pruning may be late before the archive drops a month that it still compares with.
_SLACK_DAYS = 20


class Settings(BaseSettings):
    """All settings of an operator. Field `x` is the setting TOLLBOOK_X."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = None
    data_dir: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "tollbook")
    cdr_dir: Path | None = None
    backup_stamp: Path | None = None
    esl: EslAddresses = ()
    listen_workers: int = Field(default=1, ge=1, le=MAX_WORKERS)
    retention_days: int = Field(default=30, ge=1)
    leg_days: int | None = Field(default=None, ge=1)
    event_days: int = Field(default=7, ge=4, le=90)
    archive_retention_months: int | None = Field(default=None, ge=1, le=1200)
    account_variable: str = Field(default=ACCOUNT_VARIABLE, pattern=r"^[A-Za-z0-9_.-]+$")
    parent_variable: str = Field(default=PARENT_VARIABLE, pattern=r"^[A-Za-z0-9_.-]+$")
    direction_variable: str = Field(default=DIRECTION_VARIABLE, pattern=r"^[A-Za-z0-9_.-]+$")
    variables: VariableNames = ()
    recordings_url: RecordingsUrl = None
    recordings_root: RecordingsRoot = None
    tenants_see_carriers: bool = False
    trunks: Peers = frozenset()
    onnet: Peers = frozenset()
    gateway_prefixes: GatewayPrefixes = Field(default_factory=dict[str, str])
    api_bind: BindAddress = Bind(host="127.0.0.1", port=8080)
    api_url: ApiUrl = None
    trusted_proxies: Networks = ()
    rate_limit: int = Field(default=RATE_LIMIT, ge=1, le=1_000_000)
    session_hours: int = Field(default=12, ge=1, le=MAX_SESSION_HOURS)
    metrics_bind: BindAddress | None = None
    api_metrics_bind: BindAddress | None = None
    webhook_private: Networks = ()
    nats: SecretStr | None = None
    issuer_name: Annotated[str, AfterValidator(lambda text: checked_text(text, MAX_NAME))] = ""
    issuer_address: PostalAddress = ()
    issuer_tax_id: Annotated[str, AfterValidator(lambda text: checked_text(text, MAX_TAX_ID))] = ""
    taxes: Taxes = ()
    statement_zone: Zone = "UTC"
    statement_series: str = Field(default="T-", pattern=r"^[A-Za-z0-9._-]{0,20}$")
    spool_max: Size = Field(default=1024**3, ge=64 * 1024)
    engine: SecretStr | None = None
    engine_table: str | None = Field(default=None, pattern=r"^\w+(\.\w+)+$")
    engine_questions: int = Field(default=2, ge=1, le=MAX_ENGINE_QUESTIONS)
    engine_timeout: int = Field(default=20, ge=1, le=300)
    engine_threads: int = Field(default=2, ge=1, le=256)
    engine_memory: Size = Field(default=256 * 1024**2, ge=64 * 1024**2)
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            check_database_url(value.get_secret_value())
        return value

    @field_validator("engine")
    @classmethod
    def _is_spark_connect(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        parts = urlsplit(value.get_secret_value())
        if parts.scheme != "sc" or not parts.hostname or parts.path.partition(";")[0] not in ("", "/"):
            raise ValueError("write sc://HOST:15002, and what the server needs after that: sc://HOST:443/;use_ssl=true")
        # Not by importlib.util: the setting holds for every command, and some leave pandas out (allocators.py).
        missing = [name for name in ("pyspark", "grpc", "pandas") if PathFinder.find_spec(name) is None]
        if missing:
            raise ValueError(
                f"this needs the client of Spark Connect, and {', '.join(missing)} is not installed: pip install"
                " 'tollbook[spark]', or leave the setting out, and DuckDB computes in the process"
            )
        return value

    @field_validator("nats")
    @classmethod
    def _is_nats(cls, value: SecretStr | None) -> SecretStr | None:
        for url in value.get_secret_value().split(",") if value else ():
            parts = urlsplit(url)
            if parts.scheme not in ("nats", "tls") or not parts.hostname:
                raise ValueError("write nats://HOST:4222, or tls://USER:PASSWORD@HOST:4222; several with commas")
        return value

    @field_validator("retention_days")
    @classmethod
    def _few_days(cls, value: int) -> int:
        if value > MAX_RETENTION_DAYS:
            raise ValueError(
                f"PostgreSQL keeps {MAX_RETENTION_DAYS} days at most, because each day makes every page that may reach"
                " into it slower: write that or less; the archive keeps older calls, and the API returns them, too"
            )
        return value

    @field_validator("leg_days")
    @classmethod
    def _as_long_as_their_rows(cls, value: int | None, info: ValidationInfo) -> int | None:
        days = info.data.get("retention_days", 0)
        if value is not None and value < days:
            raise ValueError(
                "a row is computed from its legs again when an event comes late, so they must be there as long as the"
                f" rows are: write {days} (TOLLBOOK_RETENTION_DAYS) or more"
            )
        if value is not None and value > MAX_RETENTION_DAYS:
            raise ValueError(
                f"PostgreSQL keeps legs of {MAX_RETENTION_DAYS} days at most, because the listener looks for each leg"
                " in every day of them: write that or less"
            )
        return value

    @field_validator("archive_retention_months")
    @classmethod
    def _outlives_pruning(cls, value: int | None, info: ValidationInfo) -> int | None:
        # Pruning compares a day with the archive, which may drop the month only after PostgreSQL dropped the day.
        days = info.data.get("retention_days", 0)
        if value is not None and value * 28 < days + _SLACK_DAYS:
            raise ValueError(
                f"TOLLBOOK_RETENTION_DAYS keeps {days} days in PostgreSQL, and the archive must keep more than that:"
                f" write {-(-(days + _SLACK_DAYS) // 28)} or more"
            )
        return value

    @property
    def kept_leg_days(self) -> int:
        """Return for how many days the legs of calls are kept: as long as their rows, unless a setting says longer."""
        return self.retention_days if self.leg_days is None else self.leg_days

    @property
    def worker_count(self) -> int:
        """Return how many processes listen to the switches: each has at least one."""
        return max(1, min(self.listen_workers, len(self.esl)))

    @property
    def trunk_rules(self) -> TrunkRules:
        """Return the operator's lists in the form that the fold takes."""
        return TrunkRules(trunks=self.trunks, onnet=self.onnet, prefixes=self.gateway_prefixes)

    @property
    def recording_paths(self) -> RecordingPaths:
        """Return how the paths of recordings are shown."""
        return RecordingPaths(root=self.recordings_root, url=self.recordings_url)

    @property
    def issuer(self) -> Party:
        """Return who issues the statements; its name is empty where none was set."""
        return Party(name=self.issuer_name, address=self.issuer_address, tax_id=self.issuer_tax_id)

    def require_database_url(self) -> str:
        """Return the PostgreSQL URL: the one set, else that of the embedded server that runs in the data directory.

        Raises SettingsError if there is neither.
        """
        if self.database_url:
            return self.database_url.get_secret_value()
        url = running_url(self.data_dir)
        if url is None:
            raise SettingsError(
                "no database: set TOLLBOOK_DATABASE_URL=postgresql://USER:PASSWORD@HOST:5432/DATABASE"
                f" (and no embedded PostgreSQL is running in {self.data_dir})"
            )
        return url

    def require_esl(self) -> tuple[EslAddress, ...]:
        """Return the switches to listen to; raise SettingsError if there is none."""
        if not self.esl:
            raise SettingsError("no switch: set TOLLBOOK_ESL=esl://:PASSWORD@HOST:8021 (several separated by commas)")
        return self.esl


def load_settings() -> Settings:
    """Read all settings; raise a SettingsError that names every wrong one.

    What the file of settings has is added to the environment: pyiceberg and the commands that we start read it there.
    """
    load_env_file(os.environ)
    problems: list[str] = []
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields} | {ENV_FILE}
    for name in sorted(os.environ):
        if name.startswith(_PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            problems.append(f"{name} is not a setting" + (f": did you mean {near[0]}?" if near else ""))
    settings = None
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = f"{_PREFIX}{str(problem['loc'][0]).upper()}"
            problems.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
    if settings is None or problems:
        raise SettingsError("wrong settings:\n  " + "\n  ".join(problems))
    return settings
