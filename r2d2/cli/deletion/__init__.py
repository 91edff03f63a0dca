"""`r2d2 approve`, `apply`, `undo`, `release`, `purge`: tables are deleted, and come back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from r2d2.cli import Config, Json, Output
from r2d2.cli.deletion.steps import as_data, discrepancy_line, tell, told_in
from r2d2.cli.terminal import print_json, print_lines, print_problem
from r2d2.errors import EXIT_FOUND, EXIT_OK, NoSuchLakeError, R2D2Error, UsageError
from r2d2.text_tables import by_number, human_bytes, pluralize, shell_word

if TYPE_CHECKING:
    from r2d2.deletion.journal import Journal

Yes = Annotated[bool, Parameter(negative="", help="Do it; without, only tell what would be done.")]
Out = Annotated[
    Path | None, Output, Parameter(help="File for what was done, or would be, as JSON.")
]
NoCatalogue = Annotated[
    bool, Parameter(negative="", help="No catalogue has a table with these files: you looked.")
]
NOT_DONE = "Nothing was done. Give --yes."
LAKE_LAST = "the lake comes last, after the ids or tables"
Run = Annotated[Path | None, Parameter(help="Folder of the plan's run, if PLAN is not in it.")]
PlanToDo = Annotated[Path, Parameter(help="The plan's file, such as run/plan.json.")]
Lake = Annotated[str, Parameter(help="Folder or URL of the lake.")]


def approve(
    plan: PlanToDo,
    /,
    *,
    run: Run = None,
    max_tables: Annotated[int | None, Parameter(help="Refuse a plan that deletes more.")] = None,
    max_bytes: Annotated[int | None, Parameter(help="Refuse a plan that deletes more.")] = None,
    max_share: Annotated[
        float | None, Parameter(help="Refuse a plan that deletes more of the lake (0 to 1).")
    ] = None,
    days: Annotated[float, Parameter(help="How long the approval lasts.")] = 7.0,
    sha256: Annotated[
        str | None, Parameter(help="Refuse a plan of another SHA-256 than the one that was shown.")
    ] = None,
    approved_by: Annotated[
        str | None, Parameter(help="Who said so, where it is not who runs this.")
    ] = None,
    no_catalogue: NoCatalogue = False,
) -> int:
    """Record that PLAN, exactly as it is, may be applied: who said so, when, and its SHA-256.

    Exit codes: 0 recorded, 1 the plan does not hold or exceeds a limit, 2 it is no plan, or a flag
    is wrong.

    For example: r2d2 approve run/plan.json --max-tables 20
    """
    from r2d2.deletion.verbs.approve import ApprovalLimits
    from r2d2.deletion.verbs.approve import approve as record_approval
    from r2d2.plan.plan_file import load_plan

    if approved_by is not None and not approved_by.strip():
        raise UsageError("--approved-by is empty: name who said so, or leave it out")
    if max_share is not None and not 0 <= max_share <= 1:
        raise UsageError(f"--max-share {max_share:g}: give a share of the lake from 0 to 1")
    made = load_plan(plan)
    if sha256 is not None and made["sha256"] != sha256:
        told = f"{plan}: its SHA-256 is {made['sha256']}, not that of the plan shown"
        raise R2D2Error(f"{told}; `r2d2 plan show` tells it (the file's own is another)")
    limits = ApprovalLimits(max_tables, max_bytes, max_share)
    journal, folder = _journal_of_plan(made), run or plan.parent
    before = journal.state.approvals.get(made["sha256"])
    approved = record_approval(journal, made, folder, limits, days, approved_by, no_catalogue)
    count = pluralize(approved.data["tables"], "table")
    size = human_bytes(approved.data["freed_bytes"])
    print_lines(
        [
            f"{approved.data['approved_by']} approved the plan {made['sha256'][:12]}:"
            f" {count}, {size}, until {approved.data['until'][:16]}Z"
            + (f" (before: until {before.data['until'][:16]}Z)" if before else ""),
            f"Next: r2d2 apply {shell_word(str(plan))}"
            + (f" --run {shell_word(str(run))}" if run else "")
            + ("" if no_catalogue else " --no-catalogue"),
        ]
    )
    return EXIT_OK


def apply(
    plan: PlanToDo,
    /,
    *,
    run: Run = None,
    config: Config = None,
    yes: Yes = False,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only tell what would be done: so it is without --yes.")
    ] = False,
    catalogue: Annotated[
        Path | None, Parameter(help="A listing of the catalogue, by jobs/catalogue.py.")
    ] = None,
    catalogue_days: Annotated[float, Parameter(help="How old the listing may be.")] = 1.0,
    no_catalogue: NoCatalogue = False,
    out: Out = None,
    json: Json = False,
) -> int:
    """Move the tables that PLAN deletes into quarantine, each compared with its rebuild first.

    Nothing is destroyed: `r2d2 undo` puts them back until `r2d2 purge`. The plan must be approved;
    without --yes, it may be approved later, and its tables are told all the same.
    Owners in the lake are asked again, and the catalogue in its listing; `--no-catalogue` accepts
    that none is asked.

    Exit codes: 0 all were moved, 1 stopped by an error, 2 it is no plan, or nothing is said of a
    catalogue, 3 some were refused, each with its reason.

    For example: r2d2 apply run/plan.json --yes --no-catalogue
    """
    from r2d2.deletion.catalogue import load_catalogue, require_asked
    from r2d2.deletion.verbs.apply import Applied, Refused, would_apply
    from r2d2.deletion.verbs.apply import apply as run_apply
    from r2d2.deletion.verbs.approve import NotApprovedError, approval_of
    from r2d2.plan.plan_file import load_plan
    from r2d2.settings.deletion import load_deletion_settings

    made = load_plan(plan)
    journal, folder = _journal_of_plan(made, config), run or plan.parent
    storage = journal.place.storage
    is_dry = dry_run or not yes
    asked = None if catalogue is None else load_catalogue(catalogue, storage, catalogue_days)
    missing = list[str]()
    try:
        if not approval_of(journal, made).data["no_catalogue"] and not no_catalogue:
            require_asked(asked)
    except (NotApprovedError, UsageError) as error:
        if not is_dry:
            raise
        missing = [f"Before that: {error}."]
    settings = load_deletion_settings(config)
    days, holds = settings.retention_days, settings.hold_delta_parents
    done = () if is_dry else run_apply(journal, made, folder, days, holds, asked)
    steps = would_apply(journal, made, folder, asked) if is_dry else done
    views = {t["table"] for t in made["tables"] if t["choice"] == "delete" and t["way"] == "view"}
    refused, moved, viewed = 0, 0, 0
    with told_in(out) as steps_told:
        for step in steps:
            match step:
                case Applied(table, deletion, size_bytes, seconds, again):
                    moved += not again
                    viewed += table in views
                    what = "is deleted already" if again else "would move" if is_dry else "moved"
                    about = human_bytes(size_bytes)
                    if not is_dry and not again:
                        about += f", its rebuild compared in {seconds:.2f} s"
                    about += f", deletion {deletion}" if deletion else ""
                    line = f"{table}: {what}, {about}"
                case Refused(table, reason):
                    refused += 1
                    line = f"{table}: refused: {reason}"
                case discrepancy:
                    line = discrepancy_line(discrepancy)
            steps_told.append(as_data(step, is_dry))
            if not json:
                print_lines([line])
    if json:
        print_json(steps_told)
        for told in missing:
            print_problem(told)
    elif not steps_told:
        print_lines(["There is nothing to apply: the plan deletes no table."])
    elif is_dry:
        count = pluralize(moved, "table")
        ended = f"Nothing was done: {count} would be moved, {refused} refused."
        ended += " Leave --dry-run out." if yes else " Give --yes."
        print_lines([" ".join((ended, *missing))])
    if viewed:
        print_problem(_views_needed(viewed, made["lake"]))
    return EXIT_FOUND if refused else EXIT_OK


def _views_needed(count: int, lake: str) -> str:
    """That readers of so many of the plan's tables need views, and how these are made."""
    be = by_number(count, "is to be a view", "are to be views")
    makes = f"`jobs/catalogue.py settle {shell_word(lake)}` or `jobs/apply_plan.py --views`"
    told = f"{pluralize(count, 'table')} {be}, which this command does not make: {makes} does"
    return f"{told}, and `r2d2 recipe show TABLE --dialect NAME` prints one to run elsewhere"


def undo(
    *names: Annotated[str, Parameter(help="Ids or tables, and the lake at last.")],
    all: Annotated[  # noqa: A002 - the flag's name
        bool, Parameter(negative="", help="All that can be undone.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Put deleted tables back, as they were: `r2d2 undo ID… LAKE` or `r2d2 undo --all LAKE`.

    Exit codes: 0 all are back, or would be, 1 stopped by an error, 2 a name is wrong, 3 some are
    not, each with its reason.

    For example: r2d2 undo exports/planes_boeing.csv sample_lake --yes
    """
    from r2d2.deletion.verbs import undo as verb

    wanted, journal = with_lake(names)
    ids = verb.names_of(journal, wanted, all)
    if not ids and not json:
        print_lines(["There is nothing to undo: no deleted table has its files in quarantine."])
    if yes or not ids:
        return tell(verb.undo(journal, ids) if ids else (), json)
    return _not_done(tell(verb.would_undo(journal, ids), json, would=True), json)


def release(
    *names: Annotated[str, Parameter(help="Ids or tables, and the lake at last.")],
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Give deletions up, so that parents need not stay for them: `r2d2 release ID… LAKE`.

    A purged table is one that nobody needs again. One in quarantine is given up only where its
    owner has another table at its place: what was moved stays until the retention, which begins
    anew, is over; `r2d2 undo ID` gives it back until then.

    Exit codes: 0 all are given up, or would be, 1 stopped by an error, 2 a name is wrong, 3 some
    are not, each with its reason.

    For example: r2d2 release exports/planes_boeing.csv sample_lake
    """
    from r2d2.deletion.verbs import release as verb

    wanted, journal = with_lake(names)
    if not wanted:
        raise UsageError("name the deletions to give up, by id or table, and the lake at last")
    ids = list(dict.fromkeys(journal.deletion(name).id for name in wanted))
    if yes:
        return tell(verb.release(journal, ids), json)
    return _not_done(tell(verb.would_release(journal, ids), json, would=True), json)


def purge(
    *names: Annotated[str, Parameter(help="Ids or tables, none for all, and the lake at last.")],
    config: Config = None,
    yes: Yes = False,
    out: Out = None,
    json: Json = False,
) -> int:
    """Delete for good the files of tables whose retention is over: `r2d2 purge LAKE`.

    Each file is deleted by its name. `r2d2 purge ID… LAKE` purges none but the tables named.
    `[deletion] retention_days` of --config says how long that is; 30 by default. A table stays
    whose parents do not give it back today, or where somebody wrote at its old place.

    Exit codes: 0 done, 1 stopped by an error, 2 a name is wrong, 3 some had to stay though their
    retention is over.

    For example: r2d2 purge sample_lake
    """
    from r2d2.deletion.verbs import purge as verb

    wanted, journal = with_lake(names)
    days = retention_days(config)
    named = [journal.deletion(name) for name in wanted]
    only = {each.id for each in named} or None
    is_empty = not verb.purgeable(journal, only)
    ended = [f"{d.table}: nothing to purge: it is {d.state.value}" for d in named if not d.is_kept]
    steps = verb.purge(journal, days, only) if yes else verb.would_purge(journal, days, only)
    code = tell(steps, json, out, would=not yes)
    none = [] if only else ["There is nothing to purge: no deleted table has files in quarantine."]
    if not json:
        print_lines([*dict.fromkeys(ended), *(none if is_empty else [])])
    return code if yes or is_empty else _not_done(code, json)


def journal_of(lake: str, config: Path | None = None) -> "Journal":
    from r2d2.deletion.journal import Journal
    from r2d2.deletion.place_objects import place_of
    from r2d2.settings.deletion import load_deletion_settings

    if Path(lake).is_file():
        raise NoSuchLakeError(f"{lake}: is a file, not a folder; give the folder of the lake")
    return Journal(place_of(lake, load_deletion_settings(config)))


def _journal_of_plan(plan: dict[str, Any], config: Path | None = None) -> "Journal":
    try:
        return journal_of(plan["lake"], config)
    except NoSuchLakeError as error:
        told = f"{plan['lake']}: the plan's lake is not there"
        raise NoSuchLakeError(f"{told}; if it was moved, find and plan again") from error


def retention_days(config: Path | None) -> float:
    from r2d2.settings.deletion import load_deletion_settings

    return load_deletion_settings(config).retention_days


def with_lake(names: tuple[str, ...]) -> tuple[list[str], "Journal"]:
    """The deletions that were named, and the journal of the lake, which was named last.

    Raises:
        UsageError: nothing was named, or the lake before its tables.
        NoSuchLakeError: there is no such lake.
    """
    if not names:
        raise UsageError(f"name the deletions; {LAKE_LAST}")
    *wanted, lake = names
    try:
        return wanted, journal_of(lake)
    except NoSuchLakeError as error:
        if any("://" in name or Path(name).is_dir() for name in wanted):
            raise UsageError(f"{lake}: no lake; {LAKE_LAST}") from error
        raise


def _not_done(code: int, json: bool) -> int:
    if not json:
        print_lines([NOT_DONE])
    return code
