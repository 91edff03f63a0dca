"""Records the event logs of the pipeline's own Spark jobs on the sample lake, for tests.

    python -m tests.support.vmcost.record_logs [FOLDER]     default: tests/vmcost/logs

Writes find-local-2 and plan-local-2 (local[2]), and the same two jobs on a standalone cluster on
this machine with one executor (find-cluster-1, plan-cluster-1) and with two (find-cluster-2,
plan-cluster-2), of one core each. What else runs here meanwhile makes their tasks longer. What
would tell of this machine is replaced: its paths by /r2d2 and /scratch, its names and addresses by
`host-1`, its user by `nobody`; of the environment only Spark's properties are kept. Times, tasks
and metrics are as measured. The logs are packed with zstd.
"""

import getpass
import json
import re
import shlex
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import zstandard

from tests.support.engines.cluster import REPOSITORY, run, standalone

LOGS = Path(__file__).parents[2] / "vmcost" / "logs"
KEPT_OF_ENVIRONMENT = ("Event", "Spark Properties")
LOCAL = "local[2]"
CLUSTER = {
    "spark.executor.memory": "512m",
    "spark.executor.cores": "1",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
}


def main(folder: Path) -> None:
    """Runs the jobs and writes their logs."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="r2d2-record-") as scratch:
        for name, log in _recorded(Path(scratch)).items():
            lines = [_scrubbed(line, scratch) for line in log.splitlines()]
            text = "".join(f"{line}\n" for line in lines)
            packed = zstandard.ZstdCompressor(level=19).compress(text.encode())
            (folder / f"{name}.zstd").write_bytes(packed)
            print(f"{name}: {len(lines)} events, {len(text):,} bytes, {len(packed):,} in zstd")


def _recorded(scratch: Path) -> Mapping[str, str]:
    """The logs by name."""
    find = ["find", str(REPOSITORY / "sample_lake"), "--out", str(scratch / "run")]
    settings = str(REPOSITORY / "sample_lake/plan.toml")
    plan = ["plan", "--run", str(scratch / "run"), "--config", settings]
    found = {
        "find-local-2": _log(find, LOCAL, scratch / "find-local"),
        "plan-local-2": _log(plan, LOCAL, scratch / "plan-local"),
    }
    for workers in (1, 2):
        own = scratch / f"cluster{workers}"
        own.mkdir()
        with standalone(workers, own) as cluster:
            for name, job in (("find", find), ("plan", plan)):
                log = _log(job, cluster.master, own / f"{name}-log", CLUSTER)
                found[f"{name}-cluster-{workers}"] = log
    return found


def _log(
    arguments: Sequence[str], master: str, folder: Path, settings: Mapping[str, str] | None = None
) -> str:
    """The event log of `r2d2 …` on that master."""
    folder.mkdir()
    own = {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder.as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        **(settings or {}),
    }
    options = [option for key, value in own.items() for option in ("--conf", f"{key}={value}")]
    ended = run(
        ["-m", "r2d2", *arguments, "--engine", "spark", "--master", master],
        PYSPARK_SUBMIT_ARGS=shlex.join([*options, "pyspark-shell"]),
    )
    if ended.returncode != 0:
        raise SystemExit(f"r2d2 {' '.join(arguments)}: {ended.stderr}")
    (log,) = folder.iterdir()
    return log.read_text(encoding="utf-8")


def _scrubbed(line: str, scratch: str) -> str:
    """The event without what tells of this machine."""
    event = json.loads(line)
    if event["Event"] == "SparkListenerEnvironmentUpdate":
        event = {key: event[key] for key in KEPT_OF_ENVIRONMENT}
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    for found, instead in _paths(scratch):
        text = text.replace(found, instead)
    for host in {socket.gethostname(), socket.getfqdn(), "127.0.0.1"} - {"localhost"}:
        # A short name is part of other words, such as `jvmGCTime`.
        text = re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", "host-1", text)
    return re.sub(rf'"User":"{re.escape(getpass.getuser())}"', '"User":"nobody"', text)


def _paths(scratch: str) -> list[tuple[str, str]]:
    """Paths of this machine, the longest first, and what stands for them."""
    known = {
        str(REPOSITORY): "/r2d2",
        sys.prefix: "/r2d2/.venv",
        sys.base_prefix: "/usr",
        scratch: "/scratch",
        str(Path.home()): "/home/nobody",
    }
    return sorted(known.items(), key=lambda each: (-len(each[0]), each[0]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else LOGS)
