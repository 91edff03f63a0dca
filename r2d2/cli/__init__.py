"""The command line `r2d2 …`: its commands, the flags they share, and what becomes of errors.

A module of this package holds one command (`find` also `tables` and `explain`, `plan` also `init`)
and is imported when the command is called for; what the command needs beyond it is imported when it
runs. So `--help` answers at once.
"""

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import (
    App,
    ArgumentCollection,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    Token,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)
from cyclopts.config import Env

from r2d2 import __version__
from r2d2.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, R2D2Error
from r2d2.text_tables import printable, shell_word, without_secrets

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

Config = Annotated[
    Path | None,
    Parameter(help="TOML file of settings; `r2d2 init` writes all of them; a flag overrides it."),
]
Json = Annotated[bool, Parameter(negative="", help="Write JSON to stdout instead of text.")]
TypesFlag = Annotated[
    Literal["strict", "widened"] | None,
    Parameter(help="strict: only equal types match; widened: all numbers by exact value."),
]
Renamed = Annotated[
    bool | None,
    Parameter(
        negative="",
        help=(
            "Also match columns that were renamed; not together with --constant-columns,"
            " --text-exports or ignore_columns."
        ),
    ),
]


def _output(kind: Any, tokens: Sequence[Token]) -> Path:
    from r2d2.storage.output import output_path

    return output_path(tokens[0].value)


Output = Parameter(converter=_output)
"""Of a flag whose value is a place for output."""


def _tables_of_run(context: "CompletionContext") -> Any:
    from r2d2.cli.completion import tables_of_run

    return tables_of_run(context)


TableOfRun = Parameter(completer=_tables_of_run)
"""Of an argument that is a table of the run which another argument names."""

STORE = ("CONNECT_S", "FAILURES", "LISTING_S", "REQUEST_S", "RETRIES", "RETRY_S", "SILENCE_S")
ENVIRONMENT = ("R2D2_UMASK", *(f"R2D2_STORE_{name}" for name in STORE))
"""The variables of no command."""
LOUDNESS = ("-q", "--quiet", "-v", "--verbose")

REMEDIES = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some space there, or raise the quota",
    errno.EROFS: "mount its file system so that it can be written",
    errno.EACCES: "let this user in, or take one who may",
    errno.EPERM: "let this user in, or take one who may",
}
"""Of errors of the system that are not r2d2's to mend."""
COMMANDS = {
    "find": ("find", "Find which tables of LAKE are contained in which, each edge proved."),
    "tables": (
        "find",
        "List the tables of LAKE: format, columns, rows, bytes, or why one is not eligible.",
    ),
    "explain": (
        "find",
        "Show which stage decides whether CHILD is contained in PARENT, and why.",
    ),
    "plan": (
        "plan",
        "Choose which tables to delete so that each can be rebuilt in time, at the least cost.",
    ),
    "edges": ("lists", "List the containments of a run, the largest first, by table or folder."),
    "check": (
        "check",
        "Refuse PLAN if it breaks a rule, states a wrong figure, or the lake has changed since.",
    ),
    "report": (
        "report",
        "Write a run, with its plan where there is one, as one HTML page that loads nothing else.",
    ),
    "recipe": ("recipe", "Show or run the recipe of a deleted table."),
    "init": (
        "plan",
        "Write a commented TOML file of all settings of all commands, at their defaults.",
    ),
    "vmcost": (
        "vmcost",
        "Divide the costs of the applications in LOGS by part, job, stage and executor.",
    ),
    "approve": (
        "deletion",
        "Record that PLAN, exactly as it is, may be applied: who said so, when, and its SHA-256.",
    ),
    "apply": (
        "deletion",
        "Move the tables that PLAN deletes into quarantine, each compared with its rebuild first.",
    ),
    "status": (
        "deletion.state",
        "List every deletion in LAKE: id, table, state, since when, what it holds, what it saved.",
    ),
    "undo": (
        "deletion",
        "Put deleted tables back, as they were: `r2d2 undo ID… LAKE` or `r2d2 undo --all LAKE`.",
    ),
    "release": (
        "deletion",
        "Give deletions up, so that parents need not stay for them: `r2d2 release ID… LAKE`.",
    ),
    "rebuild": (
        "deletion.rebuild",
        "Rebuild deleted tables from their parents: `r2d2 rebuild ID… LAKE --to FOLDER`.",
    ),
    "purge": (
        "deletion",
        "Delete for good the files of tables whose retention is over: `r2d2 purge LAKE`.",
    ),
    "fsck": (
        "deletion.state",
        "Compare the journal of deletions in LAKE with its files; settle with --yes.",
    ),
    "audit": (
        "deletion.state",
        "Verify that no record of the journal of LAKE was changed or dropped, and print it.",
    ),
    "completion": (
        "completion",
        "Print a script by which TAB completes commands, flags and the tables of a run.",
    ),
    "demo": (
        "deletion.demo",
        "Walk through all of r2d2 on a copy of the sample lake in FOLDER: nothing else is touched.",
    ),
    "doctor": (
        "doctor",
        "Check what works here: Java, Spark, jars, file systems; and what to install.",
    ),
}
"""The module of each command, and the first line of its help, shown while it is not imported."""

GROUPS = {
    "Find": ("find", "tables", "explain", "edges"),
    "Plan": ("plan", "check", "report", "recipe"),
    "Delete, and bring back": (
        *("approve", "apply", "status", "undo", "rebuild", "release", "purge", "fsck", "audit"),
    ),
    "Costs of clusters": ("vmcost",),
    "Set up": ("init", "completion", "demo", "doctor"),
}
"""The headings of `r2d2 --help`, and the commands below each."""

OF_ALL = (
    "Exit codes: 0 fine, 1 failed, 2 usage, 3 found what --fail-on names,"
    " 4 finished but some tables could not be read, 130 interrupted (Ctrl-C),"
    " 143 ended by SIGTERM; a command's own help says where it has others.\n\n"
    "Every command takes -q (--quiet: no text and no progress; files, --json, problems and"
    " the exit code stay) and -v (--verbose: longer lists, the work of each stage).\n\n"
    "A LAKE is a folder or a URL (s3://bucket/prefix, gs://…, abfss://…)."
    " Every flag can be set in the environment, under its command's name:"
    " R2D2_FIND_TYPES=widened; `r2d2 find --help` names each. Two more belong to no"
    " command: R2D2_UMASK (who may read what is written) and R2D2_STORE_… (how long to"
    " wait for an object store); docs/running.md explains them. A blank variable is"
    " not set."
)
OF_ONE = (
    "Exit codes, where none is told above: 0 fine, 1 failed, 2 usage, 130 interrupted (Ctrl-C),"
    " 143 ended by SIGTERM. -q and -v say less and more; `r2d2 --help` has what all commands share."
)
"""The ends of the help of r2d2, and of one of its commands."""


def command_line(arguments: Sequence[str]) -> App:
    """The commands; one that is among the arguments has its help from its own docstring."""
    app = App(
        name="r2d2",
        help="Find the tables of a data lake that are contained in others, and prove it.",
        help_format="plaintext",
        version=__version__,
        version_flags=("--version", "-V"),
        config=(Env("R2D2_"), _tell_unread),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        help_epilogue=OF_ONE if set(arguments) & COMMANDS.keys() else OF_ALL,
    )
    titles = {title: Group.create_ordered(title) for title in GROUPS}
    groups = {name: titles[title] for title, names in GROUPS.items() for name in names}
    for order, (command, (module, summary)) in enumerate(COMMANDS.items()):
        # Cyclopts would show a help that is given here in place of the whole docstring.
        shown: dict[str, Any] = {"help": summary, "group": groups[command], "sort_key": order}
        given = {} if command in arguments else shown
        app.command(f"r2d2.cli.{module}:{command}", **given)
    return app


def _tell_unread(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Tells on stderr of each variable that was meant for this command, by its name, and not read.

    Variables of other commands, and names that are like none of r2d2's, are somebody else's.
    """
    names = {name for each in arguments for name in each.names}
    long = {name for name in names if name.startswith("--") or not name.startswith("-")}
    prefix = _variable(*commands) + "_"
    known = {prefix + _variable(name).removeprefix("R2D2_"): _variable(name) for name in long}
    others = [_variable(*commands, name) + "_" for name in app if not name.startswith("-")]
    others += [_variable(name) + "_" for name in COMMANDS if name not in commands]
    for name in sorted(os.environ):
        if name.startswith("R2D2_") and name not in (*known, *ENVIRONMENT):
            near = next((full for full, short in known.items() if short == name), None)
            if near is None and not name.startswith(tuple(others)):
                near = _nearest_variable(name, prefix, known)
            if near or (name.startswith(prefix) and not name.startswith(tuple(others))):
                remedy = f"did you mean {near}?"
                if near is None:
                    remedy = f"`r2d2 {' '.join(commands)} --help` names those that are"
                sys.stderr.write(f"r2d2: warning: {printable(name)} is not read; {remedy}\n")


def _nearest_variable(name: str, prefix: str, known: Iterable[str]) -> str | None:
    """The variable that was likely meant; of another prefix only where few letters are wrong."""
    from difflib import get_close_matches

    if name.startswith(prefix):
        flags = [each.removeprefix(prefix) for each in known]
        near = get_close_matches(name.removeprefix(prefix), flags, 1)
        return prefix + near[0] if near else None
    return next(iter(get_close_matches(name, [*known, *ENVIRONMENT], 1, cutoff=0.85)), None)


def _variable(*words: str) -> str:
    """The variable of a command or a flag.

    >>> _variable("find"), _variable("--fail-on")
    ('R2D2_FIND', 'R2D2_FAIL_ON')
    """
    return "_".join(("R2D2", *(word.strip("-").replace("-", "_").upper() for word in words)))


def _unset_blank_variables() -> None:
    """Takes R2D2_… variables with nothing but blanks in them for not set, as CI and Airflow do."""
    for name, value in list(os.environ.items()):
        if name.startswith("R2D2_") and not value.strip():
            del os.environ[name]


def without_loudness(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments of a command, and those of `-q` and `-v` that every command takes.

    >>> without_loudness(["find", "-v", "lake", "--", "-q"])
    (['find', 'lake', '--', '-q'], ['-v'])
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    loudness = [word for word in arguments[:end] if word in LOUDNESS]
    kept = [word for word in arguments[:end] if word not in LOUDNESS]
    return [*kept, *arguments[end:]], loudness


def misunderstood(error: CycloptsError, arguments: Sequence[str]) -> str:
    """What is wrong with the arguments, and which help tells what they may be."""
    error.verbose = False
    told, argument = str(error).strip(), error.argument
    told = told[:1].lower() + told[1:].removesuffix(".")
    if isinstance(error, MissingArgumentError) and argument and not argument.tokens:
        if argument.token_count()[0] == 1:
            keyword = error.keyword
            told = f"{keyword} has no value" if keyword else f"{argument.name} is missing"
        if argument.parameter.help:
            told += f": {argument.parameter.help.removesuffix('.')}"
    elif isinstance(error, UnusedCliTokensError):
        told = f"not understood: {' '.join(map(shell_word, error.unused_tokens or ()))}"
    elif isinstance(error, UnknownOptionError) and "--" in arguments:
        told = f"flags go before --, behind which {error.token.keyword} is a name"
    elif isinstance(error, UnknownCommandError) and arguments[0] == "recipe":
        told += "; `r2d2 plan show RUN --choice delete` lists the recipes of a plan"
    command = " ".join((*(error.command_chain or ()), "--help"))
    return f"{told} See `r2d2 {command}`" if told[-1] == "?" else f"{told}; see `r2d2 {command}`"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code (see `errors`)."""
    # Only here: the workers of an engine import this package, and have no terminal.
    from r2d2.cli.terminal import interruptibly, set_loudness

    try:
        _unset_blank_variables()
        given, loudness = without_loudness(sys.argv[1:] if arguments is None else arguments)
        set_loudness(loudness)
        result: Any = interruptibly(lambda: command_line(given)(given))
        return result if isinstance(result, int) else EXIT_OK
    except CycloptsError as error:
        sys.stderr.write(f"r2d2: {printable(without_secrets(misunderstood(error, given)))}\n")
        return EXIT_USAGE
    except R2D2Error as error:
        sys.stderr.write(f"r2d2: {printable(without_secrets(str(error)))}\n")
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        told = f"{where}{error.strerror or error}; nothing more was done"
        if remedy := REMEDIES.get(error.errno or 0):
            told += f": {remedy}, and run it again"
        sys.stderr.write(f"r2d2: {printable(without_secrets(told))}\n")
        return EXIT_FAILED
