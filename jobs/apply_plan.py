"""`r2d2 approve`, `apply` and `fsck` for spark-submit: a plan that a person approved is applied.

    apply_plan.py RUN/plan.json --approved-by NAME --sha256 SHA256 [--yes] [--config r2d2.toml]
        [--out FILE] [--catalogue] [--views] [--no-catalogue] [--refused-ok]

With `--catalogue` the session's own catalogue is listed into catalogue.json beside the plan and
asked: a table that another entry or a view has or reads stays. `--views` leaves views over recipes
at the names of entries afterwards, as `jobs/catalogue.py settle` does. `--no-catalogue` says that
none has a table of these files. Without any of them, and with `--yes`, the exit code is 2.
Without `--yes` it only tells what would be moved. With it, the approval is recorded first, of the
plan of that SHA-256 and no other; then its tables are moved into quarantine, each compared with its
rebuild; at last the journal is compared with the files. Nothing is destroyed: `r2d2 undo` puts all
back until jobs/purge.py. It runs on the driver, where the lake can be written.

    spark-submit --master 'local[*]' jobs/apply_plan.py run/plan.json --approved-by ann \\
        --sha256 "$(jq -r .sha256 run/plan.json)" --yes --catalogue --out run/applied.json

Exit codes are r2d2's: 0 all were moved, 1 stopped, 2 it is no such plan, 3 some were refused, each
with its reason; with `--refused-ok` 3 is 0. An empty argument, as a template leaves behind, is
none.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import msgspec
from pyspark.sql import SparkSession

from r2d2 import cli
from r2d2.deletion.journal import Journal
from r2d2.deletion.place_objects import place_of
from r2d2.deletion.session_catalogue import listing_of, settle_catalogue
from r2d2.errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_USAGE
from r2d2.storage.scratch import end_on_signals
from r2d2.text_tables import printable

CATALOGUE = "catalogue.json"


def main(arguments: list[str]) -> int:
    """Runs the commands beside the session at hand and returns the job's exit code."""
    parser = ArgumentParser("apply_plan.py", allow_abbrev=False)
    parser.add_argument("plan")
    for flag in ("--approved-by", "--sha256", "--config", "--out"):
        parser.add_argument(flag)
    for flag in ("--yes", "--refused-ok", "--catalogue", "--views", "--no-catalogue"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args([argument for argument in arguments if argument])
    session = SparkSession.builder.appName("r2d2 apply").getOrCreate()
    # Only now: the session has set a handler of its own.
    end_on_signals()
    try:
        code = applied(given, session)
    finally:
        session.stop()
    return EXIT_OK if code == EXIT_FOUND and given.refused_ok else code


def applied(given: Namespace, session: SparkSession) -> int:
    """Approves and applies as the arguments say, and returns the exit code."""
    asked = ["--no-catalogue"] if given.no_catalogue else []
    if given.catalogue or given.views:
        file = Path(given.plan).with_name(CATALOGUE)
        file.write_bytes(msgspec.json.encode(listing_of(session)))
        asked += ["--catalogue", str(file)]
    wanted = [f"--{key}={value}" for key in ("config", "out") if (value := getattr(given, key))]
    told = [*asked, *wanted]
    if not given.yes:
        return cli.main(["apply", given.plan, *told])
    if not asked:
        sys.stderr.write("r2d2: say --catalogue, or --no-catalogue: none has these files\n")
        return EXIT_USAGE
    who = ["--approved-by", given.approved_by] if given.approved_by else []
    shown = ["--sha256", given.sha256] if given.sha256 else []
    if code := cli.main(["approve", given.plan, *who, *shown]):
        return code
    code = cli.main(["apply", given.plan, "--yes", *told])
    if code not in (EXIT_OK, EXIT_FOUND):
        return code
    lake = json.loads(Path(given.plan).read_text(encoding="utf-8"))["lake"]
    for step in settle_catalogue(session, Journal(place_of(lake))) if given.views else ():
        print(printable(f"{step.table}: {step.entry}: {step.told}"))
    return EXIT_FAILED if cli.main(["fsck", lake]) else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
