"""Settings: all are read, all wrong ones are reported at once by name, and no secret is ever shown."""

import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from tollbook.config import Settings, load_settings
from tollbook.errors import SettingsError
from tollbook.model.trunks import TrunkRules
from tollbook.setting_values import Bind, EslAddress

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any setting of ours."""
    import os

    for name in [name for name in os.environ if name.startswith("TOLLBOOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOLLBOOK_ENV_FILE", "")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read the settings of an environment: `read(esl="…")` sets TOLLBOOK_ESL."""

    def read_settings(**settings: str) -> Settings:
        for name, value in settings.items():
            monkeypatch.setenv(f"TOLLBOOK_{name.upper()}", value)
        return load_settings()

    return read_settings


def esl(host: str, port: int = 8021, password: str = SECRET, form: str = "json") -> EslAddress:
    return EslAddress(host=host, port=port, password=SecretStr(password), format=form)


def test_the_defaults(read: Any) -> None:
    settings = read()
    assert settings.database_url is None
    assert settings.data_dir == Path.home() / ".local" / "share" / "tollbook"
    assert (settings.esl, settings.retention_days, settings.metrics_bind) == ((), 30, None)
    assert (settings.account_variable, settings.parent_variable) == ("accountcode", "cdr_parent")
    assert settings.direction_variable == "cdr_direction"
    assert settings.api_bind == Bind(host="127.0.0.1", port=8080)
    assert settings.trunk_rules == TrunkRules()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("data_dir", "/srv/tollbook", Path("/srv/tollbook")),
        ("retention_days", "1", 1),
        ("retention_days", "366", 366),
        ("leg_days", "30", 30),
        ("leg_days", "366", 366),
        ("account_variable", "domain_name", "domain_name"),
        ("parent_variable", "my.parent-1", "my.parent-1"),
        ("trunks", "carrier, gateway:two,,host:10.0.0.1 ", frozenset({"carrier", "gateway:two", "host:10.0.0.1"})),
        ("direction_variable", "my_direction", "my_direction"),
        ("variables", "sip_h_X-Campaign, my.own_1,,sip_h_X-Campaign", ("sip_h_X-Campaign", "my.own_1")),
        ("variables", ",".join(f"v{number}" for number in range(20)), tuple(f"v{number}" for number in range(20))),
        ("variables", "v" * 256, ("v" * 256,)),
        ("api_url", "https://calls.example.com/", "https://calls.example.com"),
        ("api_url", "http://[::1]:8080/tollbook", "http://[::1]:8080/tollbook"),
        ("recordings_url", "https://media.example/{path}?v=1", "https://media.example/{path}?v=1"),
        ("recordings_root", "/srv/media", "/srv/media"),
        ("tenants_see_carriers", "1", True),
        ("onnet", "pbx", frozenset({"pbx"})),
        ("onnet", "10.0.0.0/8,host:fd00::/8", frozenset({"10.0.0.0/8", "host:fd00::/8"})),
        ("gateway_prefixes", "carrier=0099, two=#31#", {"carrier": "0099", "two": "#31#"}),
        ("api_bind", "0.0.0.0:80", Bind(host="0.0.0.0", port=80)),
        ("api_bind", "localhost:0", Bind(host="localhost", port=0)),
        ("api_bind", "[::1]:8080", Bind(host="::1", port=8080)),
        ("metrics_bind", "[::]:9100", Bind(host="::", port=9100)),
        ("log_level", "debug", "debug"),
        ("retention_days", "", 30),
    ],
)
def test_a_setting_is_read(read: Any, name: str, text: str, value: object) -> None:
    assert getattr(read(**{name: text}), name) == value


@pytest.mark.parametrize("url", ["postgresql://u:p@h/db", "postgres://h/db", "postgresql:///db?host=/tmp"])
def test_the_database_url_is_returned_as_it_was_set(read: Any, url: str) -> None:
    assert read(database_url=url).require_database_url() == url


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("esl://:hunter2@fs1", esl("fs1")),
        ("esl://:hunter2@fs1:8022", esl("fs1", 8022)),
        ("esl://user:hunter2@10.0.0.1:8021?format=plain", esl("10.0.0.1", form="plain")),
        ("esl://:hunter2@[2001:db8::1]:8022", esl("2001:db8::1", 8022)),
        ("esl://:p%40ss%3A%2F%2C%23%25%20w@fs1", esl("fs1", password="p@ss:/,#% w")),
        ("esl://:p@ss@fs1", esl("fs1", password="p@ss")),
        ("esl://:a:b@fs1", esl("fs1", password="a:b")),
        ("esl://:m%C3%BCller@fs1", esl("fs1", password="müller")),
        (" esl://:hunter2@fs1 ", esl("fs1")),
    ],
)
def test_an_esl_url_names_a_switch(read: Any, text: str, address: EslAddress) -> None:
    assert read(esl=text).require_esl() == (address,)


def test_several_switches_are_separated_by_commas(read: Any) -> None:
    assert read(esl="esl://:hunter2@a,esl://:hunter2@b:8022,").esl == (esl("a"), esl("b", 8022))


def test_addresses_are_printed_as_they_are_written() -> None:
    assert str(Bind(host="127.0.0.1", port=80)) == "127.0.0.1:80"
    assert str(Bind(host="::1", port=80)) == "[::1]:80"
    assert str(esl("fs1")) == "fs1:8021"
    assert str(esl("::1")) == "[::1]:8021"


WRONG = [
    ("database_url", "mysql://x", "write postgresql://USER:PASSWORD@HOST:5432/DATABASE"),
    ("esl", "8021", "write each switch as esl://:PASSWORD@HOST:8021"),
    ("esl", "http://:x@fs1", "write each switch as esl://:PASSWORD@HOST:8021"),
    ("esl", "esl://fs1", "the password of fs1 is missing: write esl://:PASSWORD@fs1:8021"),
    ("esl", "esl://:x@fs1:99999", "write each switch as esl://:PASSWORD@HOST:8021"),
    ("esl", "esl://:x@fs1:port", "write each switch as esl://:PASSWORD@HOST:8021"),
    ("esl", "esl://:x@[::1", "write each switch as esl://:PASSWORD@HOST:8021"),
    ("esl", "esl://:x%0Aauth@fs1", "holds a line break"),
    ("esl", "esl://:x@fs1?format=xml", "format=xml is not known"),
    ("esl", "esl://:x@a,esl://b", "the password of b is missing"),
    ("retention_days", "0", "greater than or equal to 1"),
    ("retention_days", "367", "PostgreSQL keeps 366 days at most, because each day makes every page"),
    ("retention_days", "many", "valid integer"),
    ("leg_days", "0", "greater than or equal to 1"),
    ("leg_days", "29", "there as long as the rows are: write 30 (TOLLBOOK_RETENTION_DAYS) or more"),
    ("leg_days", "367", "PostgreSQL keeps legs of 366 days at most"),
    ("account_variable", "a b", "should match pattern"),
    ("account_variable", "a\n", "should match pattern"),
    ("parent_variable", "é", "should match pattern"),
    ("direction_variable", "a b", "should match pattern"),
    ("variables", ",".join(f"v{number}" for number in range(21)), "21 variables are too many: name 20 at most"),
    ("variables", "v" * 257, "is no name of a channel variable: write up to 256 letters"),
    ("variables", "a b", "'a b' is no name of a channel variable"),
    ("variables", "variable_campaign", "leave out 'variable_', which only events put before a name: write campaign"),
    ("recordings_url", "https://media.example/", "write https://HOST/{path}, where {path} is a recording's path below"),
    ("recordings_url", "https://{path}/", "write https://HOST/{path}"),
    ("recordings_url", "javascript:{path}", "write https://HOST/{path}"),
    ("recordings_url", "https://media.example/{path}{path}", "write https://HOST/{path}"),
    ("recordings_url", "https://[::1/{path}", "write https://HOST/{path}"),
    ("api_url", "calls.example.com", "write https://HOST, and the path before /v1"),
    ("api_url", "ftp://calls.example.com", "write https://HOST"),
    ("api_url", "https://calls.example.com/?a=1", "write https://HOST"),
    ("api_url", 'https://calls.example.com/">', "write https://HOST"),
    ("recordings_root", "recordings", "write the whole path of a folder on the switch"),
    ("recordings_root", "/srv/../media", "write the whole path of a folder on the switch"),
    ("tenants_see_carriers", "maybe", "should be a valid boolean"),
    ("onnet", "pbx,10.0.0.0/33", "10.0.0.0/33 is no network: write 10.0.0.0/8 or fd00::/8"),
    ("trunks", "host:10.0.0.0/33", "host:10.0.0.0/33 is no network"),
    ("gateway_prefixes", "carrier", "write GATEWAY=PREFIX"),
    ("gateway_prefixes", "=00", "write GATEWAY=PREFIX"),
    ("api_bind", "8080", "write HOST:PORT, for instance 127.0.0.1:8080 or [::1]:8080"),
    ("api_bind", "::1:8080", "write HOST:PORT"),
    ("api_bind", "127.0.0.1:65536", "write HOST:PORT"),
    ("metrics_bind", "[::1]", "write HOST:PORT"),
    ("log_level", "loud", "should match pattern"),
]


@pytest.mark.parametrize(("name", "text", "problem"), WRONG)
def test_a_wrong_setting_is_reported_by_name(read: Any, name: str, text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**{name: text})
    assert f"TOLLBOOK_{name.upper()}: " in str(caught.value)
    assert problem in str(caught.value)
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    "name",
    [
        "sip_auth_username", "SIP_Auth_Password", "sip_auth_realm", "password", "vm_Password_1", "pin", "sip_h_X-PIN",
        "conference_pin", "dtmf", "digits", "digits_dialed", "shipping", "sip_h_Authorization",
        "sip_h_Proxy-Authorization", "sip_h_X-Passwd", "api_key", "sip_h_X-Api-Key", "cc_secret", "sip_h_X-Token",
    ],
)  # fmt: skip
def test_a_variable_that_may_hold_a_secret_is_refused(read: Any, name: str) -> None:
    """Whatever its case, and whatever stands beside it; the error says what to do."""
    with pytest.raises(SettingsError, match=f"TOLLBOOK_VARIABLES: {name} may hold a secret, and is never kept.*copy"):
        read(variables=f"sip_h_X-Campaign,{name}")


def test_all_wrong_settings_are_reported_at_once(read: Any) -> None:
    wrong = {name: text for name, text, _ in WRONG}
    with pytest.raises(SettingsError) as caught:
        read(**wrong, acount_variable="x", nonsense="y")
    lines = str(caught.value).splitlines()
    assert lines[0] == "wrong settings:"
    assert {line.split(":")[0].strip() for line in lines[1:]} >= {f"TOLLBOOK_{name.upper()}" for name in wrong}
    assert "  TOLLBOOK_ACOUNT_VARIABLE is not a setting: did you mean TOLLBOOK_ACCOUNT_VARIABLE?" in lines
    assert any("TOLLBOOK_NONSENSE is not a setting" in line for line in lines)


@pytest.mark.parametrize(
    "settings",
    [
        {"esl": f"esl://:{SECRET}@fs1?format=xml"},
        {"esl": f"esl://:{SECRET}@fs1:port"},
        {"esl": f"esl://:{SECRET}@"},
        {"esl": f"esl://{SECRET}@fs1"},
        {"esl": f"esl://:{SECRET}"},
        {"esl": f"esl://:x/{SECRET}@fs1"},
        {"esl": f"esl://:{SECRET}[@fs1"},
        {"esl": f"esl://:{SECRET}\u2100@fs1"},
        {"esl": f"esl://:{SECRET}%0a@fs1"},
        {"database_url": f"mysql://u:{SECRET}@h/db"},
        {"database_url": f"postgresql://u:{SECRET}@h/db", "esl": f"esl://:{SECRET}@fs1", "retention_days": "0"},
    ],
)
def test_no_secret_is_in_a_message_or_a_traceback(read: Any, settings: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**settings)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_no_secret_is_in_a_repr(read: Any) -> None:
    settings = read(database_url=f"postgresql://u:{SECRET}@h/db", esl=f"esl://:{SECRET}@fs1")
    for shown in (repr(settings), str(settings), repr(settings.esl), str(settings.esl[0]), settings.model_dump_json()):
        assert SECRET not in shown
    assert settings.esl[0].password.get_secret_value() == SECRET
    assert pickle.loads(pickle.dumps(settings.esl)) == settings.esl


def test_legs_are_kept_as_long_as_rows_unless_longer() -> None:
    assert Settings().kept_leg_days == 30
    assert Settings(retention_days=7).kept_leg_days == 7
    assert Settings(retention_days=7, leg_days=90).kept_leg_days == 90


def test_the_archive_keeps_more_than_postgresql() -> None:
    """Or a day would be dropped from the archive before it is pruned."""
    assert load_settings().archive_retention_months is None
    assert Settings(archive_retention_months=2).archive_retention_months == 2
    for days, months in ((30, 1), (365, 13)):
        with pytest.raises(ValidationError, match=r"write (2|14) or more"):
            Settings(retention_days=days, archive_retention_months=months)
