"""Read the settings for a command, and say what is wrong with them."""

from runapi.cli.failure import WRONG_USE, CommandFailed, warn
from runapi.settings import Settings, SettingsFault, load_settings, unknown_settings


def read_settings() -> Settings:
    """Read the settings; warn of variables that nothing reads.

    Raises:
        CommandFailed: some cannot be used; all are named.
    """
    for warning in unknown_settings():
        warn(warning)
    try:
        return load_settings()
    except SettingsFault as fault:
        raise wrong_settings(fault) from None


def wrong_settings(fault: SettingsFault) -> CommandFailed:
    """What a command says of settings that cannot be used."""
    return CommandFailed(str(fault), "wrong_settings", WRONG_USE)
