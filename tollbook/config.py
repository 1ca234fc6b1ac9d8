"""Settings: `TOLLBOOK_*` in the environment, or in the file that TOLLBOOK_ENV_FILE names.

All wrong settings are reported together, by name, with what to do. pyiceberg reads its own `PYICEBERG_*`.
"""

import difflib
import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from tollbook.embedded import running_url
from tollbook.errors import SettingsError
from tollbook.model.event import ACCOUNT_VARIABLE, DIRECTION_VARIABLE, PARENT_VARIABLE
from tollbook.model.trunks import TrunkRules, network_of

_PREFIX = "TOLLBOOK_"
ESL_PORT = 8021
RATE_LIMIT = 600  # requests a minute and key: ten a second, or 100,000 rows a second in the largest pages

# Each day is a partition. A page that names no time plans for all of them and locks six relations of each: measured on
# two busy cores, that takes 3 ms for 30 days, some 100 ms for a year, and 350 ms for 800 days.
MAX_RETENTION_DAYS = 366

# How many days pruning may be late before the archive drops a month that it still compares with.
_SLACK_DAYS = 20


@dataclass(frozen=True, kw_only=True)
class EslAddress:
    """A switch's Event Socket, from `esl://:password@host:8021`; `?format=plain` asks for plain events."""

    host: str
    port: int
    password: SecretStr
    format: str = "json"

    def __str__(self) -> str:
        return _host_port(self.host, self.port)


@dataclass(frozen=True, kw_only=True)
class Bind:
    """A local address to serve on, from `host:port`."""

    host: str
    port: int

    def __str__(self) -> str:
        return _host_port(self.host, self.port)


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _esl_address(url: str) -> EslAddress:
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None  # the error would quote the URL, with the password
    if parts.scheme != "esl" or not host:
        raise ValueError("write each switch as esl://:PASSWORD@HOST:8021, several separated by commas")
    if not parts.password:
        raise ValueError(f"the password of {host} is missing: write esl://:PASSWORD@{host}:8021")
    password = unquote(parts.password)
    if "\n" in password or "\r" in password:
        raise ValueError(f"the password of {host} holds a line break, which the Event Socket cannot transmit")
    form = parse_qs(parts.query).get("format", ["json"])[0]
    if form not in ("json", "plain"):
        raise ValueError(f"format={form} is not known: leave it out, or write format=plain")
    return EslAddress(host=host, port=port or ESL_PORT, password=SecretStr(password), format=form)


def _esl_addresses(value: Any) -> Any:
    return tuple(_esl_address(url) for url in _words(value)) if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _peers(value: Any) -> Any:
    peers = _words(value)
    for peer in peers if isinstance(value, str) else ():
        if "/" in peer and network_of(peer) is None:
            raise ValueError(f"{peer} is no network: write 10.0.0.0/8 or fd00::/8")
    return peers


def _pairs(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = [word.partition("=") for word in _words(value)]
    if not all(key and separator and prefix for key, separator, prefix in pairs):
        raise ValueError("write GATEWAY=PREFIX, several separated by commas")
    return {key.strip(): prefix.strip() for key, _, prefix in pairs}


def _networks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tuple(ip_network(word, strict=False) for word in _words(value))
    except ValueError:
        raise ValueError(
            "write addresses or networks, several separated by commas: 127.0.0.1, 10.0.0.0/8, fd00::/8"
        ) from None


def _bind(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})", value.strip())
    if not found or not 0 <= int(found["port"]) <= 65535:
        raise ValueError("write HOST:PORT, for instance 127.0.0.1:8080 or [::1]:8080")
    return Bind(host=found["six"] or found["host"], port=int(found["port"]))


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9]{1,15}) ?([KMGT]?)(?:iB|B)?", value.strip(), re.IGNORECASE)
    if not found:
        raise ValueError("write a number of bytes, or one with K, M, G or T: 512M, 2G")
    return int(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " ")


class Settings(BaseSettings):
    """All settings of an operator. Field `x` is the setting TOLLBOOK_X."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = None
    data_dir: Path = Field(default_factory=lambda: Path.home() / ".local" / "share" / "tollbook")
    cdr_dir: Path | None = None
    esl: Annotated[tuple[EslAddress, ...], NoDecode, BeforeValidator(_esl_addresses)] = ()
    retention_days: int = Field(default=30, ge=1)
    archive_retention_months: int | None = Field(default=None, ge=1, le=1200)
    account_variable: str = Field(default=ACCOUNT_VARIABLE, pattern=r"^[A-Za-z0-9_.-]+$")
    parent_variable: str = Field(default=PARENT_VARIABLE, pattern=r"^[A-Za-z0-9_.-]+$")
    direction_variable: str = Field(default=DIRECTION_VARIABLE, pattern=r"^[A-Za-z0-9_.-]+$")
    trunks: Annotated[frozenset[str], NoDecode, BeforeValidator(_peers)] = frozenset()
    onnet: Annotated[frozenset[str], NoDecode, BeforeValidator(_peers)] = frozenset()
    gateway_prefixes: Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)] = Field(
        default_factory=dict[str, str]
    )
    api_bind: Annotated[Bind, NoDecode, BeforeValidator(_bind)] = Bind(host="127.0.0.1", port=8080)
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)] = ()
    rate_limit: int = Field(default=RATE_LIMIT, ge=1, le=1_000_000)
    metrics_bind: Annotated[Bind | None, NoDecode, BeforeValidator(_bind)] = None
    spool_max: Annotated[int, NoDecode, BeforeValidator(_bytes), Field(ge=64 * 1024)] = 1024**3
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("write postgresql://USER:PASSWORD@HOST:5432/DATABASE")
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
    def trunk_rules(self) -> TrunkRules:
        """Return the operator's lists in the form that the fold takes."""
        return TrunkRules(trunks=self.trunks, onnet=self.onnet, prefixes=self.gateway_prefixes)

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
    """Read all settings; raise a SettingsError that names every wrong one."""
    env_file = os.environ.get(f"{_PREFIX}ENV_FILE")
    problems: list[str] = []
    names = set(os.environ)
    if env_file:
        names |= _names_in(env_file)
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{_PREFIX}ENV_FILE"}
    for name in sorted(names):
        if name.startswith(_PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            problems.append(f"{name} is not a setting" + (f": did you mean {near[0]}?" if near else ""))
    settings = None
    try:
        settings = Settings(_env_file=env_file)  # pyright: ignore[reportCallIssue] - a keyword pydantic adds
    except ValidationError as error:
        for problem in error.errors():
            name = f"{_PREFIX}{str(problem['loc'][0]).upper()}"
            problems.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
    if settings is None or problems:
        raise SettingsError("wrong settings:\n  " + "\n  ".join(problems))
    return settings


def _names_in(env_file: str) -> set[str]:
    """Return the names that a file sets; raise SettingsError for an unreadable file, which pydantic would ignore."""
    try:
        with open(env_file, "rb") as file:
            file.read(1)
        return {name.upper() for name in DotEnvSettingsSource(Settings, env_file=env_file).env_vars}
    except (OSError, UnicodeDecodeError):
        raise SettingsError(
            f"{_PREFIX}ENV_FILE={env_file} cannot be read: correct the path, its owner and mode, or its text"
        ) from None
