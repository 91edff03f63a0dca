"""`r2d2 vmcost` as a user meets it, on logs of r2d2's own runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from r2d2.cli import main
from r2d2.errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_SOME_UNREADABLE, EXIT_USAGE
from r2d2.vmcost.bill import Part

LOGS = Path(__file__).with_name("logs")
JOBS = Path(__file__).parents[2] / "jobs"
LOG = str(LOGS / "find-cluster-2.zstd")
MACHINES = ["--provider", "aws", "--region", "us-east-1", "--vm", "m5.large"]
KEYS = {
    "application_id", "attempt", "duration_s", "core_seconds", "tasks", "busy_fraction", "usd",
    "money", "problems", "why",
}  # fmt: skip


def test_json_is_a_list_of_applications_whose_parts_sum_to_the_whole(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["vmcost", LOG, *MACHINES, "--driver-vm", "m5.xlarge", "--json"]) == EXIT_OK
    (application,) = json.loads(capfd.readouterr().out)
    assert application.keys() >= KEYS
    assert set(application["money"]) == {part.value for part in Part}
    assert round(sum(application["money"].values()), 6) == application["usd"] > 0


def test_without_machines_there_is_no_money_and_what_would_fit_is_listed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["vmcost", LOG, "--json"]) == EXIT_OK
    (application,) = json.loads(capfd.readouterr().out)
    assert application["usd"] is None
    assert "--vm" in application["why"]
    assert application["candidates"]


def test_a_log_that_cannot_be_read_is_named_and_the_others_go_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").write_text("no event at all\n")
    shutil.copy(LOG, tmp_path)
    assert main(["vmcost", str(tmp_path), "--json"]) == EXIT_SOME_UNREADABLE
    printed = capfd.readouterr()
    assert len(json.loads(printed.out)) == 1
    assert f"{tmp_path}/broken: no application starts" in printed.err
    assert main(["vmcost", str(tmp_path / "broken")]) == EXIT_FAILED


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--max-usd", "0.000001"], EXIT_FOUND),
        (["--max-usd", "100"], EXIT_OK),
        (["--max-idle", "0.01"], EXIT_FOUND),
        (["--max-idle", "1"], EXIT_OK),
        (["--max-idle", "7"], EXIT_USAGE),
    ],
)
def test_budgets_are_exit_codes(flags: list[str], code: int) -> None:
    assert main(["vmcost", LOG, *MACHINES, *flags]) == code


def test_a_budget_that_cannot_be_judged_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["vmcost", LOG, "--max-usd", "5"]) == EXIT_USAGE
    assert "cannot be judged" in capfd.readouterr().err


def test_the_report_is_written_and_two_of_them_compared(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for count in (1, 2):
        log = str(LOGS / f"find-cluster-{count}.zstd")
        assert main(["vmcost", log, *MACHINES, "--out", str(tmp_path / str(count))]) == EXIT_OK
    written = {path.name for path in (tmp_path / "1").iterdir()}
    assert {"report.json", "report.html", "money.csv"} <= written
    capfd.readouterr()
    old, new = (str(tmp_path / count / "report.json") for count in "12")
    assert main(["vmcost", "diff", old, new]) == EXIT_OK
    assert "core-seconds" in capfd.readouterr().out
    assert main(["vmcost", "diff", old, new, "--json"]) == EXIT_OK
    assert json.loads(capfd.readouterr().out)["runs"]
    assert main(["vmcost", "diff", old, str(tmp_path / "none.json")]) == EXIT_USAGE
    damaged = tmp_path / "damaged.json"
    damaged.write_text('{"version": 1, "applications": [{"name": "x"}]}')
    assert main(["vmcost", "diff", old, str(damaged)]) == EXIT_USAGE


def test_a_profile_of_own_runs_is_taken_by_a_plan(tmp_path: Path) -> None:
    from r2d2.settings.profile import load_profile

    out = tmp_path / "profile.json"
    # The empty one is what a scheduler's template left out.
    wanted = [LOG, "", "-o", str(out), *MACHINES, "--report", str(tmp_path)]
    job = [sys.executable, str(JOBS / "profile_vm_cost.py")]
    subprocess.run([*job, *wanted, "--least-mb", "1"], check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "report.html").is_file()
    found = load_profile(out)
    assert found.read is not None
    assert 0 < found.read.p50_s_per_gb <= found.read.p95_s_per_gb
    assert found.write is None
    assert found.clusters[0].start_up_p95_s > 0
    assert main(["vmcost", "profile", LOG, "-o", str(out)]) == EXIT_USAGE


def test_no_logs_is_a_usage_error() -> None:
    assert main(["vmcost"]) == EXIT_USAGE


def test_what_the_settings_ask_for_is_advised_and_marked_as_modelled(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "vmcost.toml"
    settings.write_text(
        """
        [cluster]
        provider = "aws"
        region = "us-east-1"
        vm = "m5.large"
        [right_size]
        deadline_s = 3600
        counts = [1, 2]
        [spot]
        interruptions_per_vm_hour = 1
        usd_per_hour = 0.03
        trials = 10
        [serverless]
        usd_per_gb_second = 0.0000167
        source = "made up"
        as_of = 2026-01-01
        max_workers = 4
        [pipeline]
        deadline_s = 3600
        vms = ["m5.large", "m5.xlarge"]
        [[job]]
        name = "first"
        application = "r2d2"
        [[job]]
        name = "second"
        application = "r2d2"
        after = ["first"]
        """
    )
    out = tmp_path / "out"
    assert main(["vmcost", LOG, "--config", str(settings), "--out", str(out)]) == EXIT_OK
    report = json.loads((out / "report.json").read_text())
    (application,) = report["applications"]
    found = {advice["kind"]: advice for advice in application["advice"]}
    assert {"right_size", "spot", "serverless"} <= found.keys()
    assert {advice["basis"] for advice in found.values()} == {"modelled"}
    assert not any("cannot be said" in advice["told"] for advice in found.values())
    assert [job["job"] for job in report["pipeline"]["jobs"]] == ["first", "second"]
    assert application["energy"]["kwh"] > 0
    assert "made up" in capfd.readouterr().out
    settings.write_text(settings.read_text().replace("m5.xlarge", "m5.nosuch"))
    assert main(["vmcost", LOG, "--config", str(settings)]) == EXIT_USAGE
    assert "'m5.nosuch'" in capfd.readouterr().err


def test_runs_of_one_name_tell_together_of_hosts_stages_and_odds(tmp_path: Path) -> None:
    settings, out = tmp_path / "vmcost.toml", tmp_path / "out"
    settings.write_text("[right_size]\ndeadline_s = 3600\ncounts = [1]\n")
    logs = [str(LOGS / f"find-cluster-{count}.zstd") for count in (1, 2)]
    assert main(["vmcost", *logs, *MACHINES, "--config", str(settings), "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text())
    (together,) = report["degradation"]
    assert (together["name"], together["runs"], together["basis"]) == ("r2d2", 2, "modelled")
    assert all(0 < stage["performance"] <= 1 for stage in together["stage_hosts"])
    for application in report["applications"]:
        (size,) = [one for one in application["advice"] if one["kind"] == "right_size"]
        assert "checked on runs of this name (2)" in size["told"]
