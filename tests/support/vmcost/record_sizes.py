"""Records the event logs of one job on clusters of one and of two executors, for tests of replay.

    python -m tests.support.vmcost.record_sizes [FOLDER]     default: tests/vmcost/advice/logs

Writes waits-1 and waits-2: `waiting_job` on a standalone cluster on this machine, with executors of
one core each. What would tell of the machine is replaced as in `record_logs`. The logs that are
kept are the fourth of five recordings, the one in which the machine was most alike for both sizes:
replay knows nothing of what else a machine has to do.
"""

import shlex
import sys
import tempfile
from pathlib import Path

import zstandard

from tests.support.engines.cluster import run, standalone
from tests.support.vmcost.record_logs import CLUSTER, _scrubbed

LOGS = Path(__file__).parents[2] / "vmcost" / "advice" / "logs"
JOB = Path(__file__).with_name("waiting_job.py")
SIZES = (1, 2)


def main(folder: Path) -> None:
    """Runs the job on each size and writes its logs."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="r2d2-sizes-") as scratch:
        for size in SIZES:
            own = Path(scratch) / str(size)
            own.mkdir()
            lines = [_scrubbed(line, scratch) for line in _log(size, own).splitlines()]
            packed = zstandard.ZstdCompressor(level=19).compress("\n".join(lines).encode())
            (folder / f"waits-{size}.zstd").write_bytes(packed)
            print(f"waits-{size}: {len(lines)} events, {len(packed):,} bytes")


def _log(executors: int, folder: Path) -> str:
    """The event log of the job on so many executors."""
    logs = folder / "log"
    logs.mkdir()
    with standalone(executors, folder) as cluster:
        settings = {
            "spark.master": cluster.master,
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": logs.as_uri(),
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.compress": "false",
            **CLUSTER,
        }
        options = [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]
        arguments = shlex.join([*options, "pyspark-shell"])
        ended = run([str(JOB)], PYSPARK_SUBMIT_ARGS=arguments)
    if ended.returncode != 0:
        raise SystemExit(f"{JOB.name}: {ended.stderr}")
    (log,) = logs.iterdir()
    return log.read_text(encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else LOGS)
