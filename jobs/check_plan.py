"""`r2d2 check` for spark-submit: fails where a plan is wrong, or the lake is another by now.

    check_plan.py RUN/plan.json [--run RUN] [--no-lake]

Whoever acts on a plan runs it first. It lists the lake and reads no rows, so one small driver is
enough; it is a Spark job because that is where r2d2 and the lake's credentials are.

    spark-submit --master 'local[*]' jobs/check_plan.py run/plan.json

Exit codes are r2d2's: 0 the plan holds, 1 it is refused and each reason is told, 2 it is no plan of
this version. An empty argument, as a template leaves behind, is none.
"""

import sys

from pyspark.sql import SparkSession

from r2d2 import cli
from r2d2.storage.scratch import end_on_signals


def main(arguments: list[str]) -> int:
    """Runs `r2d2 check` beside the session at hand and returns its exit code."""
    own = [argument for argument in arguments if argument]
    session = SparkSession.builder.appName("r2d2 check").getOrCreate()
    # Only now: the session has set a handler of its own.
    end_on_signals()
    try:
        return cli.main(["check", *own])
    finally:
        session.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
