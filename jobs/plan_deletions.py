"""`r2d2 plan` for spark-submit: the same flags, in the session that spark-submit starts.

    plan_deletions.py --run DIR --out DIR/plan.json [--config r2d2.toml] [--usage reads.csv] …

DIR is the folder that jobs/find_containment.py wrote; the lake is where its graph.json says, and
nothing in it is deleted. Environments, masters and memory are as told there.

Local:

    spark-submit --master 'local[*]' jobs/plan_deletions.py --run run --out run/plan.json

Standalone (the driver stays here):

    export PYSPARK_PYTHON=/opt/r2d2/bin/python
    spark-submit --master spark://host:7077 --py-files r2d2_lake-VERSION.whl \\
        jobs/plan_deletions.py --run /shared/run --out /shared/run/plan.json --config r2d2.toml

Exit codes are r2d2's: 3 where `--fail-on savings=USD` is met, 4 where a table could not be read.
Cluster modes of YARN and Kubernetes, and Airflow, call any but 0 a failed application. One flag is
the job's own: with `--unreadable-ok` 4 is 0; the plan keeps such tables. An empty argument, as a
template leaves behind, is none.
"""

import sys

from pyspark.sql import SparkSession

from r2d2 import cli
from r2d2.errors import EXIT_OK, EXIT_SOME_UNREADABLE
from r2d2.storage.scratch import end_on_signals

UNREADABLE_OK = "--unreadable-ok"


def main(arguments: list[str]) -> int:
    """Runs `r2d2 plan` in the session at hand and returns the job's exit code."""
    own = [argument for argument in arguments if argument not in ("", UNREADABLE_OK)]
    session = SparkSession.builder.appName("r2d2 plan").getOrCreate()
    # Only now: the session has set a handler of its own.
    end_on_signals()
    try:
        code = cli.main(["plan", *own, "--engine", "spark"])
    finally:
        session.stop()
    return job_exit_code(code, arguments)


def job_exit_code(code: int, arguments: list[str]) -> int:
    """The job's exit code where `r2d2 plan` ended with that code."""
    if code == EXIT_SOME_UNREADABLE and UNREADABLE_OK in arguments:
        return EXIT_OK
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
