from pathlib import Path

from r2d2.vmcost.report.figures import csv_texts
from r2d2.vmcost.report.owners import chargeback
from r2d2.vmcost.report.text import report_lines
from tests.support.vmcost.report_examples import HOSTILE, a_report, an_application, without_money

GOLDEN = Path(__file__).parent / "golden"


def test_one_application_as_text() -> None:
    assert "\n".join(report_lines(a_report(), files=True)) + "\n" == (GOLDEN / "one.txt").read_text(
        "utf-8"
    )


def test_several_applications_as_text() -> None:
    made = [an_application(n, name=HOSTILE if n == 2 else f"load {n}") for n in range(1, 5)]
    report = {"version": 1, "applications": [*made, without_money(application_id="local-1")]}
    golden = (GOLDEN / "several.txt").read_text("utf-8")
    assert "\n".join(report_lines(report, files=True)) + "\n" == golden


def test_without_money_the_reason_and_the_machines_that_fit_are_told() -> None:
    lines = list(report_lines({"version": 1, "applications": [without_money()]}))
    assert "  no money: the log names no machine" in lines
    assert "    fits: Standard_E8s_v3, azure westus (8 vCPU, 64.0 GiB) at $0.5600 an hour" in lines
    assert any(line.startswith("  VM time, measured") for line in lines)
    assert not any("the money, priced" in line for line in lines)


def test_no_application_is_said() -> None:
    assert list(report_lines(a_report(0))) == ["no application in these logs"]


def test_one_application_fits_a_screen() -> None:
    lines = list(report_lines({"version": 1, "applications": [an_application(jobs=500)]}))
    assert len(lines) <= 40


def test_names_cannot_move_the_cursor() -> None:
    made = an_application(name=HOSTILE, why=HOSTILE, usd=None, money=None, problems={HOSTILE: 1})
    made["by_stage"][0]["name"] = made["advice"][0]["told"] = made["application_id"] = HOSTILE
    assert all(line.isprintable() for line in report_lines({"applications": [made]}))


def test_hundreds_of_applications_stay_readable() -> None:
    lines = list(report_lines(a_report(300)))
    assert len(lines) < 120
    assert "… and 250 more (--out DIR writes applications.csv)" in lines
    lines = list(report_lines(a_report(300), files=True))
    assert "… and 250 more (see applications.csv)" in lines


def test_damaged_logs_are_told_first() -> None:
    made = [an_application(n) for n in range(1, 4)]
    made[1]["problems"] = {"line_malformed": 2, "executor_not_removed": 1}
    first, *_ = report_lines({"version": 1, "applications": made})
    told = f"1 log is damaged, and told as far as it could be read: {made[1]['application_id']}"
    assert first == f"{told} (line malformed: 2)"


def test_money_that_is_not_known_is_not_told_as_nothing() -> None:
    made = [an_application(1, user="ada"), without_money(application_id="b", user="bob")]
    report = {"applications": made, "chargeback": chargeback(made, 30)}
    lines = [" ".join(line.split()) for line in report_lines(report)]
    assert "user bob 1 (1 without a price) – –" in lines
    assert ",bob,1,,,," in csv_texts({**report, "trend": ()})["chargeback.csv"]
