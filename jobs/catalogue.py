"""The catalogue of a Spark session, for deletion: listed before `r2d2 apply`, settled after it.

    catalogue.py list FILE
    catalogue.py settle LAKE

`list` writes what the session's own catalogue has: tables, their places and partitions, views and
their text, owners. `r2d2 apply --catalogue FILE` refuses each table that another entry or a view
has or reads, and journals the table's own entry.

`settle` makes the catalogue agree with the journal of LAKE. Where a deleted table has an external
entry, that is renamed, and a view over the recipe takes its name: readers go on. Where the table is
live again, by `r2d2 undo` or `rebuild`, the view goes, and the entry has its name back. What SQL
cannot express exactly gets no view, and a managed table none either: its files would move with its
name.

    spark-submit --master 'local[*]' jobs/catalogue.py list catalogue.json

Exit codes: 0 done, 1 stopped, 2 wrong arguments, 3 some entries stay as they are, each with its
reason.
"""

import sys
from pathlib import Path

import msgspec
from pyspark.sql import SparkSession

from r2d2.deletion.journal import Journal
from r2d2.deletion.place_objects import place_of
from r2d2.deletion.session_catalogue import listing_of, settle_catalogue
from r2d2.errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_USAGE, R2D2Error
from r2d2.text_tables import printable


def main(arguments: list[str]) -> int:
    """Does it with the session at hand, and returns the job's exit code."""
    match arguments:
        case ["list" | "settle" as verb, place]:
            session = SparkSession.builder.appName(f"r2d2 catalogue {verb}").getOrCreate()
            try:
                return listed(session, place) if verb == "list" else settled(session, place)
            except R2D2Error as error:
                sys.stderr.write(f"r2d2: {printable(str(error))}\n")
                return EXIT_FAILED
            finally:
                session.stop()
    sys.stderr.write("catalogue.py list FILE, or catalogue.py settle LAKE\n")
    return EXIT_USAGE


def listed(session: SparkSession, file: str) -> int:
    """Writes the listing."""
    listing = listing_of(session)
    Path(file).write_bytes(msgspec.json.format(msgspec.json.encode(listing), indent=2) + b"\n")
    print(f"{len(listing.entries)} tables and views of {listing.catalogue} are in {file}")
    return EXIT_OK


def settled(session: SparkSession, lake: str) -> int:
    """Tells each entry that was changed, or could not be."""
    code = EXIT_OK
    for step in settle_catalogue(session, Journal(place_of(lake))):
        print(printable(f"{step.table}: {step.entry}: {step.told}"))
        code = code if step.is_done else EXIT_FOUND
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
