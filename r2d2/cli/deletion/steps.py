"""The steps of a verb of deletion, as they are printed and as the file of --out has them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from r2d2.cli.terminal import print_json, print_lines
from r2d2.errors import EXIT_FOUND, EXIT_OK
from r2d2.text_tables import human_bytes, printable

if TYPE_CHECKING:
    from r2d2.deletion.verbs.release import GivenUp

STOPPED = "it was stopped before it could tell what it did"
"""The text of an --out file while its command has not ended."""


def tell(steps: Iterable[Any], json: bool, out: Path | None = None, would: bool = False) -> int:
    """Prints each step, done or as it would be; the exit code is for those that were refused."""
    from r2d2.deletion.discrepancies import Discrepancy
    from r2d2.deletion.verbs.purge import NotPurged, Purged
    from r2d2.deletion.verbs.release import GivenUp, NotGivenUp
    from r2d2.deletion.verbs.undo import NotUndone, Undone

    refused, be = 0, "would be " if would else ""
    with told_in(out) as told:
        for step in steps:
            match step:
                case Undone(table):
                    line = f"{table}: {'would be put back' if would else 'is back'}"
                case Purged(table, _, size_bytes):
                    line = f"{table}: {be}purged, {human_bytes(size_bytes)}"
                case NotPurged(table, _, reason, is_over):
                    refused += is_over
                    line = f"{table}: stays: {reason}"
                case NotUndone(table, _, reason):
                    refused += 1
                    line = f"{table}: is not put back: {reason}"
                case GivenUp():
                    line = f"{step.table}: {be}given up; {'; '.join(_given_up(step))}"
                case NotGivenUp(table, _, reason):
                    refused += 1
                    line = f"{table}: not given up: {reason}"
                case Discrepancy():
                    line = discrepancy_line(step)
                case _:
                    line = printable(str(step))
            told.append(as_data(step, would))
            if not json:
                print_lines([line])
    if json:
        print_json(told)
    return EXIT_FOUND if refused else EXIT_OK


def _given_up(step: "GivenUp") -> Iterator[str]:
    """What becomes of the parents, and of what is left of the table."""
    if step.entry:
        yield f"if {step.entry} is a view over its parents, `jobs/catalogue.py settle LAKE` first"
    if step.parents:
        yield f"{', '.join(step.parents)} may change"
    for parent, child in step.held.items():
        yield f"{parent} must stay: {child} is rebuilt from it"
    if step.kept_bytes:
        yield f"{human_bytes(step.kept_bytes)} of it stay until a purge takes them"
        yield f"`r2d2 undo {step.deletion} LAKE --yes` gives it back until then"
    elif step.in_log:
        yield "no undo gives it back: its rows are in older versions of its log until a VACUUM"


@contextmanager
def told_in(out: Path | None) -> Iterator[list[dict[str, Any]]]:
    """The steps as they are told; the file has them at the end, and the error that ended them.

    It is there from the beginning on, so that who was killed leaves a file that says so.
    """
    told = list[dict[str, Any]]()
    _write(out, told, STOPPED)
    try:
        yield told
    except Exception as error:
        _write(out, told, str(error) or type(error).__name__)
        raise
    _write(out, told, None)


def _write(out: Path | None, told: list[dict[str, Any]], problem: str | None) -> None:
    if out is not None:
        from r2d2.storage.output import json_text, json_with, prepare_file, write_files

        is_ours, text = json_with("steps"), json_text({"steps": told, "problem": problem})
        prepare_file(out, is_ours, "file of what was done")
        write_files(out.parent, {out.name: text}, files={out.name: is_ours}, marked=False)


def discrepancy_line(discrepancy: Any) -> str:
    word = "ALARM" if discrepancy.is_alarm else "fsck"
    table = f"{discrepancy.table}: " if discrepancy.table else ""
    return f"{word}: {table}{discrepancy.told}; {discrepancy.remedy}"


def as_data(step: Any, would: bool = False) -> dict[str, Any]:
    """The step as JSON has it; `would`: of a dry run, which did nothing."""
    from dataclasses import asdict

    return {"step": type(step).__name__, **asdict(step), **({"would": True} if would else {})}
