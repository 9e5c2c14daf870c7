"""Errors that end a command, each with the exit code the shell sees."""

COMPLETE, SOME_FAILED, BAD_CONFIGURATION, PREFLIGHT_FAILED, INTERRUPTED = 0, 1, 2, 3, 130


class ConfigError(ValueError):
    """A flag or a setting is wrong: nothing has been done yet (exit code 2)."""


class PreflightError(RuntimeError):
    """Weights, data, disk or device are not fit for the work (exit code 3)."""


class MachineError(PreflightError):
    """The disk, the device or the cluster is at fault, so that other work would fare no better here."""
