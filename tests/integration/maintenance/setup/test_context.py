"""What a setup says of settings that it changes."""

from pathlib import Path

import pytest

from maintenance.setup.commands import Commands
from maintenance.setup.context import Context, Options
from maintenance.setup.host import service_user
from maintenance.setup.questions import Questions
from maintenance.setup.settings_file import SettingsFile


@pytest.mark.parametrize(
    ("name", "before", "now"),
    [
        ("TOLLBOOK_DATABASE_URL", "host=db user=u password='hunter1'", "postgresql://u@db/t?password=hunter2"),
        ("TOLLBOOK_ESL", "esl://:hunter1@sw", "esl://:hunter2@sw"),
        ("AWS_SECRET_ACCESS_KEY", "hunter1", "hunter2"),
        ("TOLLBOOK_LOG_LEVEL", "info", "debug"),
    ],
)
def test_a_change_is_said_and_no_password(
    name: str, before: str, now: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in a URL, nor in libpq's other syntax, nor of a name that is not ours; other values are shown."""
    path = tmp_path / "tollbook.env"
    path.write_text(f'{name}="{before}"\n')
    user = service_user(None if path.owner() != "root" else "root")
    nothing = dict.fromkeys(Options.__dataclass_fields__)
    options = Options(**nothing | {"env_file": path, "print_sql": False})  # pyright: ignore[reportArgumentType]
    context = Context(
        options=options,
        questions=Questions(silent=True),
        file=SettingsFile(path),
        user=user,
        commands=Commands(path, user),
    )
    context.set(name, now)
    said = capsys.readouterr().out
    assert name in said
    assert "hunter" not in said
    assert ("was info, and is now debug" in said) == (name == "TOLLBOOK_LOG_LEVEL")
