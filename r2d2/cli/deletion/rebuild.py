"""`r2d2 rebuild`: deleted tables, or sets of them, from their parents."""

import os
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from r2d2.cli import Json, Output
from r2d2.cli.deletion import with_lake
from r2d2.cli.deletion.steps import as_data
from r2d2.cli.terminal import print_json, print_lines, print_problem
from r2d2.errors import EXIT_FAILED, EXIT_OK, UsageError
from r2d2.text_tables import by_number, human_bytes, pluralize, usd

if TYPE_CHECKING:
    from r2d2.deletion.schedule import Offer, ScheduledSet, SetBack
    from r2d2.deletion.verbs.rebuild import Back

NO_PROFILE = (
    "`r2d2 vmcost profile LOGS --config FILE -o profile.json` measures machines by the logs of"
    " r2d2's runs on them; --profile profile.json then says which are in time, and for how much"
)


def rebuild(
    *names: Annotated[str, Parameter(help="Ids or tables, and the lake at last.")],
    to: Annotated[
        Path | None, Output, Parameter(help="Folder outside the lake to write below.")
    ] = None,
    all_of: Annotated[Path | None, Parameter(help="All tables that this plan deleted.")] = None,
    under: Annotated[str | None, Parameter(help="All deleted tables in this folder.")] = None,
    deadline: Annotated[
        str | None, Parameter(help="Say first which come back in so long: 90s, 30m or 2h.")
    ] = None,
    profile: Annotated[
        Path | None,
        Parameter(help="profile.json: say which machines are in time, and for how much."),
    ] = None,
    threads: Annotated[
        int | None, Parameter(help="Processes at most; as many as cores by default.")
    ] = None,
    memory_bytes: Annotated[
        int | None, Parameter(help="Their memory for rows; more wait in scratch files.")
    ] = None,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only say when they would be back.")
    ] = False,
    json: Json = False,
) -> int:
    """Rebuild deleted tables from their parents: `r2d2 rebuild ID… LAKE --to FOLDER`.

    Tables that are parts of one parent share its reading, and processes rebuild side by side, in
    the order that has most tables back by the deadline and all of them soonest. Without --to, a
    table that was purged comes back at its old place.

    Names, --all-of and --under together are all that any of them names.

    Exit codes: 0 all came back, 1 some did not, 2 a name is wrong, or --to is in the lake.

    For example:

    r2d2 rebuild exports/planes_boeing.csv sample_lake --to restored

    r2d2 rebuild sample_lake --under exports --to restored --deadline 30m --dry-run
    """
    from r2d2.deletion.parents import LakeNow
    from r2d2.deletion.schedule import offer as offer_of
    from r2d2.deletion.verbs import rebuild as verb
    from r2d2.settings.profile import load_profile

    began = perf_counter()
    wanted, journal = with_lake(names)
    limit_s = inf if deadline is None else _seconds(deadline)
    measured = None if profile is None else load_profile(profile)
    processes = _at_least_one("--threads", threads, os.cpu_count() or 1)
    memory_bytes = _at_least_one("--memory-bytes", memory_bytes, verb.MEMORY_BYTES)
    verb.require_outside(journal, to)
    plan = _sha256(all_of)
    ids = verb.chosen(journal, wanted, under, plan)
    deletions, now = [journal.deletion(each) for each in ids], LakeNow(journal.place)
    now.look(deletions)
    # The deadline is counted from the command's start, a forecast from its telling.
    left_s = limit_s - (perf_counter() - began)
    limits = verb.RebuildLimits(processes, memory_bytes, left_s)
    lost = list(verb.refused(journal, deletions, to, now)) if dry_run else []
    never = {each.table for each in lost}
    planned = verb.scheduled_set([d for d in deletions if d.table not in never], to, limits)
    offer = None if measured is None else offer_of(planned.families, measured, limit_s)
    told: list[Any] = [*planned.forecasts, *([offer] if offer else [])]
    if not json:
        if count := verb.left_out(journal, under, plan):
            were = by_number(count, "was", "were")
            print_lines([f"{pluralize(count, 'table')} {were} given up: name one to have it, too"])
        for each in lost:
            _tell_back(each)
        _tell_forecast(planned)
        if measured is not None:
            print_lines([_offer_line(offer, limit_s)])
        elif not all(each.in_time for each in planned.forecasts):
            print_problem(NO_PROFILE)
    start, backs = perf_counter(), list[Any]()
    for back in () if dry_run else verb.rebuild(journal, ids, to, limits, now):
        backs.append(back)
        if not json:
            _tell_back(back)
    lost += [each for each in backs if not isinstance(each, verb.Back)]
    if dry_run:
        told += lost
    else:
        count = len(backs) - len(lost)
        told += [*backs, planned.back(count, len(lost), perf_counter() - start)]
        if not json:
            _tell_whole(told[-1])
    if json:
        print_json([as_data(each) for each in told])
    return EXIT_FAILED if lost else EXIT_OK


def _tell_forecast(planned: "ScheduledSet") -> None:
    for each in planned.forecasts:
        if not each.in_time:
            print_problem(f"{each.table}: back after {each.after_s:.1f} s by its promise: late")
    if not planned.forecasts:
        return
    tables = pluralize(len(planned.forecasts), "table")
    readings = pluralize(len(planned.families), "reading")
    processes = pluralize(len(planned.schedule.orders), "process", "processes")
    when = f"back after {planned.after_s:.1f} s by the plans' promises, without their start-ups"
    print_lines([f"{tables} by {readings} of parents, in {processes}: {when}"])


def _offer_line(offer: "Offer | None", limit_s: float) -> str:
    if offer is None:
        return "The profile knows no machines: no start was seen in its logs."
    cluster = f"{offer.vm_count} × {offer.vm_type}"
    if offer.clusters > 1:
        cluster = f"{offer.clusters} clusters of {cluster}"
    told = f"{cluster}: back after {offer.after_s:.0f} s for {usd(offer.usd)}"
    if offer.late:
        late = f"{pluralize(offer.late, 'table')} {by_number(offer.late, 'is', 'are')} late even so"
        return f"No machines of the profile are in time; the nearest, {told}; {late}"
    return f"Cheapest of the profile{'' if limit_s == inf else ' in time'}, {told}"


def _tell_back(back: Any) -> None:
    from r2d2.plan.rebuild import LostTable

    if isinstance(back, LostTable):
        print_problem(f"{back.table}: {back.problem}")
    else:
        print_lines(["; ".join(_back_told(back))])


def _back_told(back: "Back") -> Iterator[str]:
    made = back.rebuilt
    rows, size = pluralize(made.rows, "row"), human_bytes(made.size_bytes)
    told = f"{made.table}: {rows}, {size}"
    if made.stood:
        yield f"{told}, was there already: read again and found equal in {made.seconds:.2f} s"
    else:
        promised = f"its plan promised {back.promised_s:.0f} s with a start-up"
        yield f"{told}, in {made.seconds:.2f} s; {promised}"
    yield from made.parents_told


def _tell_whole(whole: "SetBack") -> None:
    if whole.tables + whole.lost > 1:
        told = f"{pluralize(whole.tables, 'table')} back in {whole.seconds:.1f} s"
        lost = f"; {whole.lost} not back" if whole.lost else ""
        print_lines([f"{told} of {whole.promised_s:.1f} s promised{lost}"])


def _sha256(plan: Path | None) -> str | None:
    from r2d2.plan.plan_file import load_plan

    return None if plan is None else load_plan(plan)["sha256"]


def _at_least_one(flag: str, given: int | None, default: int) -> int:
    """The number that was given.

    Raises:
        UsageError: it is less than 1.
    """
    if given is not None and given < 1:
        raise UsageError(f"{flag} {given}: give 1 or more")
    return default if given is None else given


def _seconds(text: str) -> float:
    """The seconds of a time such as 90s, 30m or 2h.

    Raises:
        UsageError: it is none.
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    with suppress(ValueError):
        seconds = float(text[:-1] if unit else text) * (unit or 1)
        if 0 < seconds < inf:
            return seconds
    raise UsageError(f"--deadline {text}: give a time such as 90s, 30m or 2h")
