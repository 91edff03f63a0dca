"""Runs of the DAGs in a real Airflow, for `tests/airflow_dag`: all at once, as far as it lets them.

Each has a DAG and a lake of its own. Says what each run took, and the ends of the logs where one is
not as expected; then exits with 1.
"""

import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from airflow_forms import forms
from airflow_run import SERVICES, Airflow, Run, airflow

REPOSITORY = Path(__file__).parents[3]
SAMPLE_LAKE = REPOSITORY / "sample_lake"
PAGE = " ".join((REPOSITORY / "docs" / "howto" / "airflow.md").read_text().split())
HOME, LAKES = Path(os.environ["AIRFLOW_HOME"]), Path(os.environ["R2D2_DAG_LAKE"])
SMALL = ("penguins.parquet", "penguins.orc", "complete.parquet", "gentoo.avro")
DAMAGED = "cut_off.parquet"
DONE = ("success",) * 7
NOT_APPROVED = (*("success",) * 4, *("skipped",) * 3)
CHECK_FAILED = (*("success",) * 4, "failed", "upstream_failed", "failed")
APPLY_FAILED = (*("success",) * 5, "failed", "failed")
NOTHING_DUE = ("success", "success", "skipped", "skipped")
NOT_PURGED = ("success", "success", "success", "skipped")
Say = Callable[[object], None]


def deleted_and_purged(api: Airflow, say: Say) -> None:
    """Approved, deleted and costed; once that is due, purged, but only what a person was shown."""
    api.unpause("cost")
    lake, usage = small_lake("deleted"), HOME / "usage.csv"
    usage.write_text("table,reads_per_month\nresearch.gentoo,100000\n")
    before = files_of(lake)
    run = Run(api, "deleted", usage=str(usage))
    shown = run.answer("Approve")
    say(shown)
    run.ends(*DONE)
    say(run.took())
    told = summary_of(run, say)
    deleted = {each["table"] for each in told["deleted"]}
    assert told["outcome"] == "deleted"
    assert told["answered_by"]["name"], told
    assert deleted == {each["table"] for each in told["would_delete"]}
    assert told["refused"] == []
    assert told["freed_bytes"] == told["frees_bytes"] > 0
    assert files_of(lake) == {name: before[name] for name in before.keys() - deleted}
    the_page_and_what_could_not_be_read_are_shown(run, told, shown)
    assert "research/gentoo.avro" not in deleted, "the usage file was not read"
    r2d2("fsck", lake)
    the_cost_is_told_after_a_plan(api, say)
    purged(api, lake, before, say)


def the_page_and_what_could_not_be_read_are_shown(run: Run, told: Any, shown: str) -> None:
    assert (run.folder / "report.html").is_file()
    assert told["page"] == "https://pages/r2d2/20260101T000000/report.html"
    assert f"[the page]({told['page']})" in shown
    (unreadable,) = told["unreadable"]
    assert unreadable["table"] == f"research/{DAMAGED}"
    assert f"`research/{DAMAGED}`: `{unreadable['problem']}`" in shown


def the_cost_is_told_after_a_plan(api: Airflow, say: Say) -> None:
    """Of the event logs in tests/vmcost/logs; the next plan takes the profile."""
    run = Run(api, "cost", None)
    run.ends("success")
    say(run.took())
    api.call("PATCH", run.dag, is_paused=True)
    assert (run.folder / "vmcost" / "report.html").is_file()
    profile = json.loads((run.folder.parent / "profile.json").read_text())
    assert profile["clusters"], profile


def purged(api: Airflow, lake: Path, before: dict[str, bytes], say: Say) -> None:
    at_once = HOME / "at_once.toml"
    at_once.write_text("[deletion]\nretention_days = 0\n")
    moved, live = quarantined(lake), files_of(lake)
    early = Run(api, "purge")
    early.ends(*NOTHING_DUE)
    say(early.took())
    assert (quarantined(lake), files_of(lake)) == (moved, live), "purged before the retention"
    later = status_of(lake)[0]
    r2d2("undo", later["id"], lake, "--yes")
    plan = approved_by_command(lake)
    moved, live = quarantined(lake), files_of(lake)
    run = Run(api, "purge", "2026-01-02", config=str(at_once))
    run.answer("Reject")
    run.ends(*NOT_PURGED)
    assert (quarantined(lake), files_of(lake)) == (moved, live), "purged though rejected"
    run.clear("approve")
    run.asks()
    run.ends(*NOT_PURGED)
    assert (quarantined(lake), files_of(lake)) == (moved, live), "purged though nobody answered"
    run.clear("approve")
    shown = run.answer("Approve", lambda: r2d2("apply", plan, "--yes"))
    say(shown)
    run.ends(*("success",) * 4)
    say(run.took())
    states = {each["table"]: each["state"] for each in status_of(lake)}
    gone = {table for table in states if f"`{table}`" in shown}
    assert states == {table: "purged" if table in gone else "tombstoned" for table in states}
    assert later["table"] in states.keys() - gone, "purged though nobody was shown it"
    assert gone, "nothing was purged"
    left = [before[table] for table in states.keys() - gone]
    assert sorted(quarantined(lake).values()) == sorted(left)
    r2d2("fsck", lake)
    r2d2("rebuild", *gone, lake)
    r2d2("undo", "--all", lake, "--yes")
    r2d2("fsck", lake)
    assert files_of(lake).keys() == before.keys()
    assert {name for name, content in files_of(lake).items() if content != before[name]} <= gone


def approved_by_command(lake: Path) -> Path:
    """A second plan, for what is left to delete."""
    run = HOME / "second_run"
    plan, config = run / "plan.json", os.environ["R2D2_TEST_CONFIG"]
    r2d2("find", lake, "--out", run, codes=(0, 4))
    r2d2("plan", "--run", run, "--out", plan, "--config", config, codes=(0, 4))
    r2d2("approve", plan, "--no-catalogue")
    return plan


def asked_again(api: Airflow, say: Say) -> None:
    """One run that asks again and again, and ends in another way each time; at last it deletes."""
    lake = small_lake("asked_again")
    before = files_of(lake)
    run = Run(api, "asked_again")
    run.answer("Reject")
    run.ends(*NOT_APPROVED)
    assert summary_of(run, say)["outcome"] == "rejected"
    run.clear("approve")
    run.asks()
    run.ends(*NOT_APPROVED)
    told = summary_of(run, say)
    assert (told["outcome"], told["answered_by"], told["deleted"]) == ("expired", None, [])
    run.clear("approve")
    marked_as_done(run, say)
    assert files_of(lake) == before
    assert not (lake / "_r2d2").exists()
    stopped_by_an_error(run, lake, before, say)
    goes_on_where_it_stopped(run, lake, before, say)


def marked_as_done(run: Run, say: Say) -> None:
    """The approval is marked as done by hand: nobody said yes, so nothing is deleted."""
    run.asks()
    run.mark_as_done("approve")
    run.ends(*DONE)
    told = summary_of(run, say)
    plan = json.loads((run.folder / "plan.json").read_text())
    planned = {each["table"] for each in plan["tables"] if each["choice"] == "delete"}
    assert planned
    assert {each["table"] for each in told["would_delete"]} == planned
    assert told["frees_bytes"] == plan["totals"]["freed_bytes"]
    assert (told["outcome"], told["deleted"], told["answered_by"]) == ("told", [], None)
    assert told["page"] == f"file://{run.folder / 'report.html'}"


def stopped_by_an_error(run: Run, lake: Path, before: dict[str, bytes], say: Say) -> None:
    """The storage fails once in the middle of apply."""
    (HOME / "fault_of_asked_again").write_text("error")
    run.clear("approve")
    run.answer("Approve")
    run.ends(*APPLY_FAILED)
    say(run.took())
    told = stopped_half_way(run, lake, before, say)
    assert "Input/output error" in told["told"]
    assert [each["table"] for each in told["deleted"]] == [status_of(lake)[0]["table"]]
    assert "Input/output error" in run.log("apply")


def stopped_half_way(run: Run, lake: Path, before: dict[str, bytes], say: Say) -> Any:
    """The summary, where one table is deleted and of the next it is not known yet."""
    told = summary_of(run, say)
    assert told["outcome"] == "failed"
    assert told["told"] in run.log("summary")
    left, moved = files_of(lake), quarantined(lake)
    assert len(moved) == 2, moved
    assert sorted([*left.values(), *moved.values()]) == sorted(before.values()), "a row is lost"
    assert [each["state"] for each in status_of(lake)] == ["tombstoned", "marked"]
    say(r2d2("fsck", lake, codes=(3,)))
    return told


def goes_on_where_it_stopped(run: Run, lake: Path, before: dict[str, bytes], say: Say) -> None:
    """The table that was put back is another to the plan, so it stays for a newer one."""
    run.clear("apply")
    run.ends(*DONE)
    told = summary_of(run, say)
    deleted = {each["table"] for each in told["deleted"]}
    (refused,) = told["refused"]
    assert deleted | {refused["table"]} == {each["table"] for each in told["would_delete"]}
    assert files_of(lake) == {name: before[name] for name in before.keys() - deleted}
    r2d2("fsck", lake)
    all_comes_back(lake, before)


def killed(api: Airflow, say: Say) -> None:
    """An apply that is killed half-way; fsck settles what it left, and a new plan goes on."""
    lake = small_lake("killed")
    before = files_of(lake)
    (HOME / "fault_of_killed").write_text("kill")
    first = Run(api, "killed")
    first.answer("Approve")
    first.ends(*APPLY_FAILED)
    say(first.took())
    told = stopped_half_way(first, lake, before, say)
    assert "it was stopped before it could tell" in told["told"]
    assert told["deleted"] is None
    gone = status_of(lake)[0]["table"]
    r2d2("fsck", lake, "--yes")
    r2d2("fsck", lake)
    assert files_of(lake) == {name: before[name] for name in before if name != gone}
    second = Run(api, "killed", "2026-01-02")
    second.answer("Approve")
    second.ends(*DONE)
    deleted = {each["table"] for each in summary_of(second, say)["deleted"]}
    assert deleted | {gone} == {each["table"] for each in summary_of(first, say)["would_delete"]}
    assert files_of(lake) == {name: before[name] for name in before.keys() - deleted - {gone}}
    r2d2("fsck", lake)
    all_comes_back(lake, before)


def changed(api: Airflow, say: Say) -> None:
    """The lake changes between the question and the answer."""
    lake = small_lake("changed")
    run = Run(api, "changed")
    run.answer("Approve", lambda: (lake / "research" / SMALL[0]).write_bytes(b"another file"))
    now = files_of(lake)
    run.ends(*CHECK_FAILED)
    assert f"research/{SMALL[0]}" in run.log("check")
    told = summary_of(run, say)
    assert (told["outcome"], told["deleted"]) == ("failed", [])
    assert told["told"].startswith("`check` failed")
    assert files_of(lake) == now
    assert not (lake / "_r2d2").exists()


def missed(api: Airflow, say: Say) -> None:
    """For all days that a schedule missed there is one run, and none for those of a backfill."""
    lake = small_lake("missed")
    run = Run(api, "missed", None)
    days = {"from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-05T00:00:00Z"}
    for dag in ("missed", "purge"):
        refused = api.call("POST", "/backfills", dag_id=dag, **days)
        say(refused)
        assert "does not allow backfill runs" in refused["detail"]
    run.ends(*("success",) * 3, *("skipped",) * 4)
    assert f"could not be read, and stays: 'research/{DAMAGED}'" in run.log("proposal")
    dag = api.call("GET", run.dag)
    assert dag["next_dagrun_run_after"] > run.api.call("GET", run.path)["start_date"], dag
    assert api.call("GET", f"{run.dag}/dagRuns")["total_entries"] == 1
    assert not (lake / "_r2d2").exists()
    for name in ("r2d2", "r2d2_purge", "r2d2_vmcost"):
        file = api.call("GET", f"/dags/{name}")["fileloc"]
        assert file.endswith(f"/{name}_dag.py"), f"{name} is of {file}"


def failing(api: Airflow, say: Say) -> None:
    """A lake that is not there: it is tried as often as told, and says so."""
    run = Run(api, "failing", lake="/no/such/lake")
    run.ends("failed", *("upstream_failed",) * 5, "failed")
    assert run.tasks()["find"]["try_number"] == 2
    assert "/no/such/lake" in run.log("find")
    assert "there is no proposal" in run.log("summary")


def small_lake(name: str) -> Path:
    """Four tables of the sample lake, and one that lost its end."""
    folder = LAKES / name / "research"
    folder.mkdir(parents=True)
    for table in SMALL:
        shutil.copy(SAMPLE_LAKE / "research" / table, folder)
    (folder / DAMAGED).write_bytes((folder / SMALL[0]).read_bytes()[:1000])
    return folder.parent


def files_of(lake: Path) -> dict[str, bytes]:
    """The lake's files but for r2d2's own."""
    return {
        path.relative_to(lake).as_posix(): path.read_bytes()
        for path in lake.rglob("*")
        if path.is_file() and "_r2d2" not in path.parts and "deleted-by-r2d2" not in path.name
    }


def quarantined(lake: Path) -> dict[str, bytes]:
    """The files in quarantine."""
    folder = lake / "_r2d2" / "quarantine"
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def summary_of(run: Run, say: Say) -> Any:
    """The run's summary, which the page on Airflow shows as it is."""
    told = json.loads((run.folder / "summary.json").read_text())
    say(f"{told['outcome']}: {told['told']}")
    shown = told["told"].replace(told["lake"], "/lake").replace("Anonymous", "ann")
    assert shown in PAGE, f"docs/howto/airflow.md does not show {shown!r}"
    return told


def status_of(lake: Path) -> Any:
    return json.loads(r2d2("status", lake, "--json"))


def all_comes_back(lake: Path, before: dict[str, bytes]) -> None:
    r2d2("undo", "--all", lake, "--yes")
    assert files_of(lake) == before
    r2d2("fsck", lake)


def r2d2(*arguments: object, codes: tuple[int, ...] = (0,)) -> str:
    """What the command says, as its exit code is one of these."""
    command = [Path(os.environ["R2D2_DAG_ENVIRONMENT"], "bin", "r2d2"), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert ended.returncode in codes, (command, ended.returncode, ended.stdout, ended.stderr)
    return ended.stdout


# The longest first: what begins late ends late.
RUNS = {
    run.__name__: run
    for run in (
        deleted_and_purged,
        asked_again,
        killed,
        changed,
        missed,
        failing,
    )
}


def main(names: list[str]) -> int:
    """Runs those that are named, and the forms; whether any failed."""
    machines = '[cluster]\nprovider = "aws"\nregion = "us-east-1"\nvm = "m5.xlarge"\n'
    (HOME / "vmcost.toml").write_text(machines)
    forms()
    with airflow(HOME) as api, ThreadPoolExecutor(len(RUNS)) as pool:
        ended = dict(zip(names, pool.map(lambda name: _ran(api, name), names), strict=True))
    failed = {name: error for name, error in ended.items() if error}
    if failed:
        for service in SERVICES:
            log = (HOME / f"{service}.log").read_text(errors="replace")
            print(f"== the end of the {service}'s log\n{log[-5000:]}")
    for name, error in failed.items():
        print(f"failed: {name}: {error!r}")
    return len(failed)


def _ran(api: Airflow, name: str) -> Exception | None:
    """Why the run is not as expected, or nothing."""
    told = list[str]()
    try:
        RUNS[name](api, lambda line: told.append(str(line)))
    except Exception as error:  # noqa: BLE001 - the others go on
        told.append(traceback.format_exc())
        told += [str(log) + "\n" + log.read_text()[-3000:] for log in _logs_of(name)]
        print(f"== {name}: failed\n" + "\n".join(told), flush=True)
        return error
    print(f"== {name}: as expected\n" + "\n".join(told), flush=True)
    return None


def _logs_of(name: str) -> list[Path]:
    return sorted((HOME / "logs").glob(f"dag_id={name}/**/*.log"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(RUNS)))
