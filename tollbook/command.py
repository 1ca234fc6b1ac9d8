"""How a command begins that writes below the data directory."""

from tollbook.config import Settings, load_settings
from tollbook.data_owner import require_owner
from tollbook.log import setup


def begin_command() -> Settings:
    """Return the settings, as the owner of their data directory, with the log set up.

    As root, become that owner. Raises SettingsError for wrong settings, and WrongUser for another user.
    """
    settings = load_settings()
    require_owner(settings.data_dir)
    setup(settings.log_level)
    return settings
