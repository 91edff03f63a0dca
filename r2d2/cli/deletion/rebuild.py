"""`r2d2 rebuild`: deleted tables, or sets of them, from their parents."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from r2d2.cli import Json, Output
from r2d2.cli.deletion import journal_of, with_lake
from r2d2.cli.deletion.steps import as_data
from r2d2.cli.terminal import print_json, print_lines, print_problem
from r2d2.errors import EXIT_FAILED, EXIT_OK, UsageError
from r2d2.text_tables import human_bytes, pluralize


def rebuild(
    *names: Annotated[str, Parameter(help="Ids or tables, and the lake at last.")],
    to: Annotated[
        Path | None, Output, Parameter(help="Folder to write below, not the table's old place.")
    ] = None,
    all_of: Annotated[Path | None, Parameter(help="All tables that this plan deleted.")] = None,
    under: Annotated[str | None, Parameter(help="All deleted tables in this folder.")] = None,
    deadline: Annotated[
        str | None, Parameter(help="Say first which come back in so long: 90s, 30m or 2h.")
    ] = None,
    json: Json = False,
) -> int:
    """Rebuild deleted tables from their parents: `r2d2 rebuild ID… LAKE --to FOLDER`.

    Tables that are parts of one parent share its reading. Without --to, a table that was purged
    comes back at its old place.

    Exit codes: 0 all came back, 1 some did not.

    For example: r2d2 rebuild exports/planes_boeing.csv sample_lake --to restored
    """
    from r2d2.deletion.verbs import rebuild as verb
    from r2d2.deletion.verbs.rebuild import Back

    *wanted, lake = with_lake(names)
    journal = journal_of(lake)
    plan_sha256 = None
    if all_of is not None:
        from r2d2.plan.plan_file import load_plan

        plan_sha256 = load_plan(all_of)["sha256"]
    ids = verb.chosen(journal, wanted, under, plan_sha256)
    if deadline is not None:
        limit_s = _seconds(deadline)
        deletions = [journal.deletion(each) for each in ids]
        for each in verb.forecast(deletions, limit_s):
            if not each.in_time:
                print_problem(f"{each.table}: back after {each.after_s:.0f} s by its promise: late")
    told, lost = list[dict[str, Any]](), 0
    for back in verb.rebuild(journal, ids, to):
        if isinstance(back, Back):
            made = back.rebuilt
            rows, size = pluralize(made.rows, "row"), human_bytes(made.size_bytes)
            line = f"{made.table}: {rows}, {size}, {made.seconds:.2f} s of {back.promised_s:.0f} s"
            line = "; ".join((f"{line} promised", *made.parents_told))
        else:
            lost += 1
            line = f"{back.table}: {back.problem}"
        if json:
            told.append(as_data(back))
        elif isinstance(back, Back):
            print_lines([line])
        else:
            print_problem(line)
    if json:
        print_json(told)
    return EXIT_FAILED if lost else EXIT_OK


def _seconds(text: str) -> float:
    """The seconds of a time such as 90s, 30m or 2h.

    Raises:
        UsageError: it is none.
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    try:
        return float(text[:-1] if unit else text) * (unit or 1)
    except ValueError as error:
        raise UsageError(f"--deadline {text}: give a time such as 90s, 30m or 2h") from error
