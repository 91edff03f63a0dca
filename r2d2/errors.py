"""Errors of r2d2, named for what the user must mend, each with its exit code.

Exit codes: 0 fine, 1 failed, 2 usage, 3 found something asked for with `--fail-on`,
4 finished, but some tables could not be read (each is named with its reason), 130 interrupted by
Ctrl-C, 143 ended by SIGTERM.
"""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_FOUND = 3
EXIT_SOME_UNREADABLE = 4
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class R2D2Error(Exception):
    """Root of all errors r2d2 raises on purpose; the message names the thing and the remedy."""

    exit_code = EXIT_FAILED


class UsageError(R2D2Error):
    """A flag, a setting or a name on the command line is wrong."""

    exit_code = EXIT_USAGE


class LakeError(R2D2Error):
    """The lake itself cannot be listed, so that no table can be looked at."""


class NoSuchLakeError(LakeError):
    """There is no lake by this name: nothing is there, or a file."""

    exit_code = EXIT_USAGE


class MissingDependencyError(R2D2Error):
    """An optional package or program is needed and is not installed."""


class TableError(R2D2Error):
    """One table is left out, with the reason as message; the other tables go on.

    `remedy` is what to do about an error of its kind, empty where the message alone tells.
    """

    remedy = ""


class IneligibleTableError(TableError):
    """The table can be read, but its rows have no identity r2d2 vouches for (e.g. a collation)."""


class UnreadableTableError(TableError):
    """The table, or a part of it, cannot be read in full, or changed while it was being read."""


class UnansweredError(UnreadableTableError):
    """The store gave no answer, or failed: a moment later the same file may be read."""

    remedy = "try again when the store answers"


class DeniedError(UnreadableTableError):
    """This user, or these credentials, may not read the file."""

    remedy = "let this user read it, or take one who may"


class NotWritableError(R2D2Error):
    """A table cannot be written back as it was; the message says what stands against it."""


class MisfitError(R2D2Error):
    """Rows have other columns than the table they are made for, or values that it cannot hold."""


class RecipeRunError(R2D2Error):
    """A recipe cannot be run: a parent is gone or changed, or a residual is not what it was."""
