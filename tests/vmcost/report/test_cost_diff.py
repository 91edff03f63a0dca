from typing import Any

from r2d2.vmcost.report.diff import Match, difference_lines, differences
from tests.support.vmcost.report_examples import HOSTILE, an_application, without_money


def a_report_of(*applications: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "applications": list(applications)}


def later(seed: int = 2, **changes: float) -> dict[str, Any]:
    """The job of seed 1 run again, with other amounts of its money."""
    money = an_application()["money"] | changes
    name = an_application()["name"]
    return an_application(seed, name=name, money=money, usd=sum(money.values()))


def test_the_same_job_run_again_is_matched_by_its_name() -> None:
    (run,) = differences(a_report_of(an_application()), a_report_of(later())).runs
    assert run.match is Match.NAME
    assert (run.old_id[-14:], run.new_id[-14:]) == ("0001 attempt 1", "0002 attempt 1")


def test_id_and_attempt_go_before_the_name() -> None:
    old = a_report_of(an_application(1, name="a"), an_application(2, name="b"))
    new = a_report_of(an_application(2, name="a"), an_application(1, name="b"))
    runs = differences(old, new).runs
    assert [run.match for run in runs] == [Match.ID, Match.ID]
    assert [run.old_id == run.new_id for run in runs] == [True, True]


def test_equal_names_are_paired_in_the_order_of_their_start() -> None:
    def at(seed: int, hour: int) -> dict[str, Any]:
        return an_application(seed, name="etl", started=f"2026-09-01T{hour:02}:00:00Z")

    found = differences(a_report_of(at(1, 9), at(2, 8)), a_report_of(at(3, 3), at(4, 2), at(5, 4)))
    pairs = {run.new_id[-11:-10]: run.old_id[-11:-10] for run in found.runs}
    assert pairs == {"3": "1", "4": "2"}
    assert [name[-11:-10] for name in found.only_new] == ["5"]


def test_what_has_no_counterpart_is_named() -> None:
    found = differences(a_report_of(an_application(1)), a_report_of(an_application(2)))
    assert found.runs == ()
    lines = list(difference_lines(found))
    assert lines == [
        "no application is in both reports, by its id or by its name",
        "only in the old report: application_1700000000000_0001 attempt 1",
        "only in the new report: application_1700000000000_0002 attempt 1",
    ]


def test_the_part_that_changed_most_explains_the_change() -> None:
    (run,) = differences(
        a_report_of(an_application()), a_report_of(later(idle_in_jobs=0.04, failed=0.0))
    ).runs
    assert run.explained_by is not None
    assert run.explained_by.figure == "idle_in_jobs"
    usd = run.wholes[0]
    assert usd.by is not None
    assert abs(sum(part.by or 0 for part in run.parts) - usd.by) < 1e-12


def test_a_part_that_shrank_most_is_told_apart_from_a_whole_that_grew() -> None:
    old, new = an_application(), later(busy=0.02, driver=0.09)
    lines = list(difference_lines(differences(a_report_of(old), a_report_of(new))))
    assert lines[1] == "  driver VM changed most: +$0.0632; the whole +$0.0296"


def test_two_equal_runs_differ_in_nothing() -> None:
    one = a_report_of(an_application())
    (run,) = differences(one, one).runs
    assert run.explained_by is None
    assert run.facts == ()
    assert {change.by for change in (*run.wholes, *run.parts)} == {0}


def test_other_machines_and_prices_are_told() -> None:
    new = an_application()
    new["cluster"]["count"] = 4
    new["prices"][0]["usd_per_hour"] = 0.6
    new["prices"][1] |= {"as_of": "2026-08-05", "age_days": 27}
    (run,) = differences(a_report_of(an_application()), a_report_of(new)).runs
    assert [fact.fact for fact in run.facts] == [
        "machines",
        "money",
        "price of Standard_E8s_v3, on_demand",
    ]


def test_without_money_cores_are_compared() -> None:
    found = differences(a_report_of(an_application()), a_report_of(without_money()))
    (run,) = found.runs
    assert run.parts == ()
    assert run.explained_by is None
    assert "  no money to compare: core-seconds changed by 0 (0.0 %)" in difference_lines(found)


def test_a_percentage_of_nothing_is_not_told() -> None:
    old, new = an_application(tasks=0), an_application(tasks=5)
    (run,) = differences(a_report_of(old), a_report_of(new)).runs
    assert (run.wholes[-1].by, run.wholes[-1].by_fraction) == (5, None)


def test_every_line_of_a_difference_is_a_line() -> None:
    old, new = an_application(name=HOSTILE + "\n"), an_application(2, name=HOSTILE + "\n")
    for line in difference_lines(differences(a_report_of(old), a_report_of(new))):
        assert line.isprintable()


def test_the_difference_as_text() -> None:
    new = later(idle_in_jobs=0.04) | {"duration_s": 400.0, "core_seconds": 5800.0}
    lines = list(difference_lines(differences(a_report_of(an_application()), a_report_of(new))))
    assert lines == [
        "daily load 1: application_1700000000000_0001 attempt 1 →"
        " application_1700000000000_0002 attempt 1 (the same name)",
        "  idle inside jobs changed most: +$0.0132; the whole +$0.0132",
        "  figure              old         new         change             basis",
        "  cost                $0.1339     $0.1471     +$0.0132  +9.9 %"
        "   priced (as of 2026-08-01, 31 days old)",
        "    idle inside jobs  $0.0268     $0.0400     +$0.0132  +49.3 %  priced",
        "  duration            5 min 45 s  6 min 40 s  +55.4 s   +16.1 %  measured",
        "  core-seconds        5,239.6     5,800.0     +560.4    +10.7 %  measured",
        "  busy cores          67.9 %      67.9 %      0.0 %     0.0 %    measured",
        "  tasks               2,801       2,801       0         0.0 %    measured",
    ]
