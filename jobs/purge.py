"""`r2d2 purge` for spark-submit: files of deleted tables whose retention is over are destroyed.

    purge.py LAKE [--only ID,ID…] [--config r2d2.toml] [--yes] [--out FILE] [--refused-ok]

Without `--yes` it only tells what would be destroyed. Of each table the parents are read first, and
must give it back today; with `--only`, none but the deletions named. It runs on the driver, as
whoever may delete below `_r2d2/` of the lake.

    spark-submit --master 'local[*]' jobs/purge.py /lake --config r2d2.toml --out due.json

Exit codes are r2d2's: 0 done, 1 stopped, 3 some had to stay though their retention is over;
with `--refused-ok` 3 is 0. An empty argument, as a template leaves behind, is none; an `--only`
without ids is an error.
"""

import sys
from argparse import ArgumentParser

from pyspark.sql import SparkSession

from r2d2 import cli
from r2d2.errors import EXIT_FOUND, EXIT_OK
from r2d2.storage.scratch import end_on_signals


def main(arguments: list[str]) -> int:
    """Runs `r2d2 purge` beside the session at hand and returns its exit code."""
    own, refused_ok = purge_arguments(arguments)
    session = SparkSession.builder.appName("r2d2 purge").getOrCreate()
    # Only now: the session has set a handler of its own.
    end_on_signals()
    try:
        code = cli.main(["purge", *own])
    finally:
        session.stop()
    return EXIT_OK if code == EXIT_FOUND and refused_ok else code


def purge_arguments(arguments: list[str]) -> tuple[list[str], bool]:
    """The arguments of `r2d2 purge`, and whether tables that had to stay are no failure."""
    parser = ArgumentParser("purge.py", allow_abbrev=False)
    parser.add_argument("lake")
    for flag in ("--only", "--config", "--out"):
        parser.add_argument(flag)
    for flag in ("--yes", "--refused-ok"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args([argument for argument in arguments if argument])
    ids = [] if given.only is None else given.only.split(",")
    if not all(ids):
        parser.error("--only names no deletion")
    wanted = [f"--{key}={value}" for key in ("config", "out") if (value := getattr(given, key))]
    return [*ids, given.lake, *wanted, *(["--yes"] if given.yes else [])], given.refused_ok


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
