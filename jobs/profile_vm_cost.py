"""`r2d2 vmcost profile` for schedulers: event logs to profile.json and a report, no Spark needed.

    profile_vm_cost.py LOG… -o profile.json [--config vmcost.toml] [--report DIR] …

It reads what Spark wrote to `spark.eventLog.dir`, so it runs anywhere that this folder is mounted:
by `python`, by cron, by Airflow's BashOperator, or by spark-submit beside the other jobs:

    spark-submit --master 'local[1]' jobs/profile_vm_cost.py /logs -o /shared/profile.json \\
        --config vmcost.toml --report /shared/vmcost

The next `jobs/plan_deletions.py --profile /shared/profile.json` takes measured rates in place of
assumed ones. With `--report` the bill of all logs is written there, too: report.html, report.json
and CSV files. Flags for the machines are those of `r2d2 vmcost`; exit codes are r2d2's.
"""

import sys

from r2d2 import cli
from r2d2.storage.scratch import end_on_signals


def main(arguments: list[str]) -> int:
    """Runs `r2d2 vmcost profile` and returns its exit code."""
    end_on_signals()
    # What a scheduler's template left empty.
    return cli.main(["vmcost", "profile", *filter(None, arguments)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
