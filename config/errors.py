"""Errors of `config`.

ConfigError
└── InvalidSettings          a key is unknown or its value is not allowed
"""


class ConfigError(Exception):
    """Base of all errors of this package."""


class InvalidSettings(ConfigError):  # noqa: N818 - says what is wrong
    """One line a wrong key: its name, what stands there, what is allowed."""
