"""`r2d2 status`, `fsck`, `audit`: the deletions in a lake, looked at."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from r2d2.cli import Config, Json
from r2d2.cli.deletion import Lake, Yes, journal_of, retention_days
from r2d2.cli.deletion.steps import as_data, discrepancy_line
from r2d2.cli.terminal import print_json, print_lines, print_problem
from r2d2.errors import EXIT_FOUND, EXIT_OK
from r2d2.text_tables import human_bytes, pluralize, shell_word

if TYPE_CHECKING:
    from r2d2.storage.local import Storage


def status(lake: Lake, /, *, config: Config = None, json: Json = False) -> int:
    """List every deletion in LAKE: id, table, state, since when, what it holds, what it saved.

    For example: r2d2 status sample_lake
    """
    from r2d2.deletion.discrepancies import orphan_notes
    from r2d2.deletion.journal import status_of
    from r2d2.text_tables import aligned

    journal = journal_of(lake)
    found = status_of(journal, retention_days(config))
    is_new = journal.state.last is None
    notes = list(orphan_notes(journal, journal.place.storage.list())) if is_new else []
    for note in notes:
        print_problem(f"{note.told}; {note.remedy}")
    if json:
        print_json(found)
        return EXIT_OK
    if not found:
        print_lines(["No journal of deletions is here." if notes else "Nothing is deleted."])
        print_lines(_elsewhere("status", journal.place.storage) if is_new else [])
        return EXIT_OK
    rows = [
        [
            each["id"][:12],
            each["table"],
            each["state"],
            each["since"][:16],
            (each["purge_after"] or "")[:16],
            human_bytes(each["size_bytes"]),
            ", ".join(each["holds"]),
            f"${each['saved_usd']:.2f}",
        ]
        for each in found
    ]
    head = ["id", "table", "state", "since", "purge after", "size", "holds", "saved"]
    print_lines(aligned([head, *rows]))
    return EXIT_OK


def fsck(
    lake: Lake,
    /,
    *,
    yes: Yes = False,
    read_data: Annotated[
        bool,
        Parameter(negative="", help="Read the files in quarantine, and compare their SHA-256."),
    ] = False,
    json: Json = False,
) -> int:
    """Compare the journal of deletions in LAKE with its files; settle with --yes.

    Files in quarantine are compared by their size; with --read-data, by their content.
    A parent of another size than it had is an alarm, and by itself no reason for exit code 3: rows
    may only have been appended to it.

    Exit codes: 0 all fits, 1 stopped by an error, 2 there is no such lake, 3 something does not
    fit, or needs a person.

    For example: r2d2 fsck sample_lake
    """
    from r2d2.deletion.discrepancies import changed_parents, discrepancies, orphan_notes
    from r2d2.deletion.verbs.fsck import left, settle

    journal = journal_of(lake)
    if yes:
        with journal.lease("fsck"):
            settled = settle(journal, read_data)
    listing = journal.place.storage.list()
    amiss = left(journal, settled) if yes else discrepancies(journal, read_data)
    found = [*amiss, *orphan_notes(journal, listing)]
    told = [*found, *changed_parents(journal, listing)]
    if json:
        print_json([as_data(each) for each in told])
    else:
        lines = map(discrepancy_line, told)
        print_lines(lines if told else ["The journal and the files agree."])
    return EXIT_FOUND if found else EXIT_OK


def audit(lake: Lake, /, *, json: Json = False) -> int:
    """Verify that no record of the journal of LAKE was changed or dropped, and print it.

    Exit codes: 0 it is whole, 1 it is not, 2 there is no such lake.

    For example: r2d2 audit sample_lake
    """
    import msgspec

    from r2d2.deletion.journal import records_of

    place = journal_of(lake).place
    records = [record for record, _ in records_of(place)]
    if json:
        print_json([msgspec.to_builtins(record) for record in records])
        return EXIT_OK
    if not records:
        print_lines(["No journal of deletions is here.", *_elsewhere("audit", place.storage)])
        return EXIT_OK
    for record in records:
        about = record.data.get("verb") or record.data.get("plan_sha256", "")[:12]
        table = record.data.get("entry", {}).get("table", "")
        parts = (f"{record.number:>6}", f"{record.at:%Y-%m-%d %H:%M:%S}Z", record.by)
        print_lines([" ".join((*parts, record.event.value, record.deletion, table, about)).strip()])
    print_lines([f"{pluralize(len(records), 'record')}, unbroken"])
    return EXIT_OK


def _elsewhere(command: str, storage: "Storage") -> list[str]:
    """The command for each journal of a folder above or below, where this lake has none."""
    from r2d2.lake.groups import other_journals

    others = other_journals(storage, storage.list())
    return [f"There is one of another folder: r2d2 {command} {shell_word(o)}" for o in others]
