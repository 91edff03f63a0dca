"""`r2d2 purge` for spark-submit: files of deleted tables whose retention is over are destroyed.

    purge.py LAKE [--config r2d2.toml] [--yes] [--out FILE] [--refused-ok]

Without `--yes` it only tells what would be destroyed. Of each table the parents are read first, and
must give it back today. It runs on the driver, as whoever may delete below `_r2d2/` of the lake.

    spark-submit --master 'local[*]' jobs/purge.py /lake --config r2d2.toml --out due.json

Exit codes are r2d2's: 0 done, 1 stopped, 3 some had to stay though their retention is over;
with `--refused-ok` 3 is 0. An empty argument, as a template leaves behind, is none.
"""

import sys

from pyspark.sql import SparkSession

from r2d2 import cli
from r2d2.errors import EXIT_FOUND, EXIT_OK
from r2d2.storage.scratch import end_on_signals

REFUSED_OK = "--refused-ok"


def main(arguments: list[str]) -> int:
    """Runs `r2d2 purge` beside the session at hand and returns its exit code."""
    own = [argument for argument in arguments if argument not in ("", REFUSED_OK)]
    session = SparkSession.builder.appName("r2d2 purge").getOrCreate()
    # Only now: the session has set a handler of its own.
    end_on_signals()
    try:
        code = cli.main(["purge", *own])
    finally:
        session.stop()
    return EXIT_OK if code == EXIT_FOUND and REFUSED_OK in arguments else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
