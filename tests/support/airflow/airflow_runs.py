"""Runs the DAG in a real Airflow, for `tests/airflow_dag`: two runs at a time, a process for each.

Says what each run took, and the end of the log of one that is not as expected; then exits with 1.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airflow_forms import forms
from airflow_run import Run, own_home

REPOSITORY = Path(__file__).parents[3]
SAMPLE_LAKE = REPOSITORY / "sample_lake"
PLAN_SETTINGS = str(SAMPLE_LAKE / "plan.toml")
SMALL_LAKE = Path(os.environ["R2D2_DAG_LAKE"])
SMALL = ("penguins.parquet", "penguins.orc", "complete.parquet", "gentoo.avro")
DAMAGED = "cut_off.parquet"


def approved() -> None:
    conf = {"lake": str(SAMPLE_LAKE), "config": PLAN_SETTINGS}
    run = Run(conf, "--mark-success-pattern", "approve")
    run.ends(["success"] * 7)
    plan = json.loads((run.folder / "plan.json").read_text())
    told = json.loads((run.folder / "summary.json").read_text())
    deleted = {each["table"] for each in plan["tables"] if each["choice"] == "delete"}
    assert deleted
    assert {each["table"] for each in told["would_delete"]} == deleted
    assert told["frees_bytes"] == plan["totals"]["freed_bytes"]
    assert told["plan_sha256"] == plan["sha256"]
    assert told["unreadable"] == []
    print(f"{len(deleted)} tables, {told['frees_bytes']:,} bytes, approved {told['approved_by']}")


def approved_by_a_person_who_sees_what_could_not_be_read() -> None:
    usage = SMALL_LAKE.with_name("usage.csv")
    usage.write_text("table,reads_per_month\nresearch.gentoo,100000\n")
    run = Run({"config": PLAN_SETTINGS, "usage": str(usage)})
    shown = run.answer("Approve")
    print(shown)
    run.ends(["success"] * 7)
    told = json.loads((run.folder / "summary.json").read_text())
    assert told["approved_by"], told
    (unreadable,) = told["unreadable"]
    assert unreadable["table"] == f"research/{DAMAGED}"
    assert f"`research/{DAMAGED}`: `{unreadable['problem']}`" in shown
    plan = json.loads((run.folder / "plan.json").read_text())
    kept = {each["table"]: each["reason"] for each in plan["tables"] if each["choice"] == "keep"}
    assert unreadable["problem"] in kept[f"research/{DAMAGED}"]
    assert "research/gentoo.avro" in kept, "the usage file was not read"


def approved_and_deleted() -> None:
    lake = SMALL_LAKE.with_name("deleting")
    shutil.copytree(SMALL_LAKE, lake)
    before = _files(lake)
    run = Run({"lake": str(lake), "config": PLAN_SETTINGS, "delete": True})
    run.answer("Approve")
    run.ends(["success"] * 7)
    told = json.loads((run.folder / "summary.json").read_text())
    deleted = {each["table"] for each in told["deleted"]}
    assert deleted == {each["table"] for each in told["would_delete"]}
    assert told["refused"] == []
    assert _files(lake).keys() == before.keys() - deleted
    assert Path(told["page"]).is_file()
    _r2d2("undo", "--all", str(lake), "--yes")
    assert _files(lake) == before
    _r2d2("fsck", str(lake))


def _files(lake: Path) -> dict[str, bytes]:
    """The lake's files but for r2d2's own."""
    return {
        path.relative_to(lake).as_posix(): path.read_bytes()
        for path in lake.rglob("*")
        if path.is_file() and "_r2d2" not in path.parts and "deleted-by-r2d2" not in path.name
    }


def _r2d2(*arguments: str) -> None:
    r2d2 = Path(os.environ["R2D2_DAG_ENVIRONMENT"], "bin", "r2d2")
    subprocess.run([r2d2, *arguments], check=True, stdout=subprocess.DEVNULL)


def changed_between_question_and_answer() -> None:
    lake = SMALL_LAKE.with_name("changing")
    shutil.copytree(SMALL_LAKE, lake)
    run = Run({"lake": str(lake), "config": PLAN_SETTINGS})
    run.answer("Approve", lambda: (lake / "research" / SMALL[0]).write_bytes(b"another file"))
    log = run.ends([*["success"] * 4, "failed", *["upstream_failed"] * 2])
    assert f"research/{SMALL[0]}" in log[log.index("r2d2 check") :]
    assert not (run.folder / "summary.json").exists()


def rejected() -> None:
    run = Run({"config": PLAN_SETTINGS})
    run.answer("Reject")
    run.ends([*["success"] * 4, *["skipped"] * 3])
    assert not (run.folder / "summary.json").exists()
    assert not (SMALL_LAKE / "_r2d2").exists()


def nothing_to_delete() -> None:
    log = Run({}).ends([*["success"] * 3, *["skipped"] * 4])
    assert f"could not be read, and stays: 'research/{DAMAGED}'" in log


def failing() -> None:
    run = Run({"lake": "/no/such/lake"})
    log = run.ends(["failed", *["upstream_failed"] * 6])
    tries = run.tasks()["find"]["try_number"]
    assert tries == 3, tries
    assert run.process.returncode != 0
    told = re.search(r"r2d2: .*/no/such/lake.*?(?= \[|$)", log, re.M)
    assert told, "the log does not say why"
    print(f"{tries} tries; {told[0]}")


RUNS = {
    run.__name__: run
    for run in (
        failing,
        approved,
        approved_by_a_person_who_sees_what_could_not_be_read,
        approved_and_deleted,
        rejected,
        changed_between_question_and_answer,
        nothing_to_delete,
        forms,
    )
}


def main(names: list[str]) -> int:
    """Runs those that are named, each in a process of its own; whether any failed."""
    _write_small_lake()
    with ThreadPoolExecutor(2) as pool:
        return max(pool.map(_run_apart, names))


def _write_small_lake() -> None:
    """Four tables of the sample lake, and one that lost its end."""
    folder = SMALL_LAKE / "research"
    folder.mkdir(parents=True)
    for name in SMALL:
        shutil.copy(SAMPLE_LAKE / "research" / name, folder)
    (folder / DAMAGED).write_bytes((folder / SMALL[0]).read_bytes()[:1000])


def _run_apart(name: str) -> int:
    home = Path(os.environ["AIRFLOW_HOME"])
    ended = subprocess.run(
        [sys.executable, __file__, "--here", name],
        env=own_home(home, home / name),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    log = home / name / "run.log"
    if ended.returncode and log.exists():
        print(f"== the end of {log}\n{log.read_text(errors='replace')[-20000:]}")
    print(
        f"== {name}: {'failed' if ended.returncode else 'as expected'}\n{ended.stdout}", flush=True
    )
    return int(ended.returncode != 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        RUNS[sys.argv[2]]()
    else:
        sys.exit(main(sys.argv[1:] or list(RUNS)))
