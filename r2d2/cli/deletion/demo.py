"""`r2d2 demo`: the whole story on a copy of the sample lake, from `find` to a rebuilt table."""

import json
import shutil
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from r2d2.cli import Output, main
from r2d2.cli.terminal import print_lines
from r2d2.errors import EXIT_FOUND, EXIT_OK, R2D2Error, UsageError

NO_RETENTION = "[deletion]\nretention_days = 0\n"


def demo(
    folder: Annotated[Path, Output, Parameter(help="A new folder for the copy and the run.")],
    /,
    *,
    lake: Annotated[Path, Parameter(help="The lake to copy.")] = Path("sample_lake"),
) -> int:
    """Walk through all of r2d2 on a copy of the sample lake in FOLDER: nothing else is touched.

    Each command is shown before it runs: find, plan, the page, approve, apply,
    what a reader finds, rebuild, undo, purge, and a table that comes back although
    its files are gone.

    For example: r2d2 demo walk
    """
    if not lake.is_dir():
        raise UsageError(f"{lake}: no such folder; --lake names the sample lake of r2d2's sources")
    if folder.exists():
        raise UsageError(f"{folder}: is there already; name a new folder")
    copy, run = folder / "lake", folder / "run"
    shutil.copytree(lake, copy)
    settings, none = copy / "plan.toml", folder / "no_retention.toml"
    none.write_text(NO_RETENTION, encoding="utf-8")
    config = ["--config", str(settings)] if settings.is_file() else []
    _run("Which tables are contained in others?", "find", copy, "--out", run)
    _run("Which of them to delete?", "plan", "--run", run, *config)
    _run("A page for those who decide.", "report", run)
    plan = run / "plan.json"
    _run("Somebody says yes.", "approve", plan)
    apply = ("apply", plan, "--yes", "--no-catalogue")
    _run("The tables leave the lake; each was compared with its rebuild.", *apply)
    deleted = [
        e["table"] for e in json.loads(plan.read_text())["tables"] if e["choice"] == "delete"
    ]
    if not deleted:
        raise R2D2Error(f"the plan for {copy} deletes nothing: there is no more to show")
    first, last = deleted[0], deleted[-1]
    note = _tombstone(copy, first)
    print_lines(["", f"# Who looks for {first} finds {note.relative_to(folder)}:"])
    print_lines(note.read_text(encoding="utf-8").splitlines())
    _run("It can be had without being put back.", "rebuild", first, copy, "--to", folder / "back")
    _run("Or be put back.", "undo", first, copy, "--yes")
    purge = ("purge", copy, "--config", none, "--yes")
    _run("After the retention, which is 0 days here, files are destroyed.", *purge)
    _run("Such a table comes back, too: from its parents.", "rebuild", last, copy)
    _run("What is deleted now?", "status", copy)
    return EXIT_OK


def _tombstone(lake: Path, table: str) -> Path:
    from r2d2.lake.deletions import tombstone_path

    return lake / tombstone_path(table)


def _run(told: str, *arguments: object) -> None:
    """Shows the command, and runs it.

    Raises:
        R2D2Error: it failed.
    """
    words = [str(argument) for argument in arguments]
    print_lines(["", f"# {told}", f"$ r2d2 {' '.join(words)}"])
    if main(words) not in (EXIT_OK, EXIT_FOUND):
        raise R2D2Error(f"r2d2 {words[0]} failed; the copy is as it was left")
