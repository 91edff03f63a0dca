"""profile.json: equal constants give equal costs, and what is wrong is named."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from r2d2.errors import UsageError
from r2d2.plan.costs import TABLE_P95_S, Rebuild, rebuild_p95_s, rebuild_usd
from r2d2.settings.plan import PlanSettings
from r2d2.settings.profile import load_profile, with_profile

PROFILE: dict[str, Any] = {
    "profile": 1,
    "id": "4f2a",
    "as_of": "2026-09-01",
    "read": {"s_per_gb": {"p50": 10, "p95": 20.0}, "usd_per_gb": 0.0000477},
    "write": {"s_per_gb": {"p50": 20.0, "p95": 40.0}, "usd_per_gb": 0.000596},
    "clusters": [
        {"vm_type": "m5.xlarge", "vm_count": 1, "vm_usd_per_hour": 0.192, "start_up_p95_s": 120}
    ],
}


def written(folder: Path, profile: object) -> Path:
    path = folder / "profile.json"
    path.write_text(json.dumps(profile))
    return path


def test_a_profile_equal_to_the_constants_gives_equal_costs(tmp_path: Path) -> None:
    defaults = PlanSettings()
    profiled = with_profile(defaults, load_profile(written(tmp_path, PROFILE)))
    for run in (Rebuild(7 * 10**11, 3 * 10**9, 5), Rebuild(10**9, 10**8, measured_s=3.3)):
        assert rebuild_p95_s(run, profiled.rates) == rebuild_p95_s(run, defaults.rates)
        assert rebuild_usd(run, 2.5, profiled.prices, profiled.rates) == rebuild_usd(
            run, 2.5, defaults.prices, defaults.rates
        )
    assert profiled.rates.source == "profile 4f2a of 2026-09-01"
    assert profiled.prices.storage_usd_per_gb_month == defaults.prices.storage_usd_per_gb_month


def test_a_rebuild_waits_for_the_p95_of_the_starts_not_for_their_mean(tmp_path: Path) -> None:
    starts_s = [10, 20, 30, 40, 100]
    found = copy.deepcopy(PROFILE)
    spread = {"p50": 30, "p95": 100, "mean": sum(starts_s) / len(starts_s)}
    found["clusters"][0] |= {"start_up_p95_s": 100, "start_up_s": spread, "starts": 5}
    rates = with_profile(PlanSettings(), load_profile(written(tmp_path, found))).rates
    assert rates.source == (
        "profile 4f2a of 2026-09-01, start-up 30 s at p50, 100 s at p95 of 5 starts"
    )
    assert rebuild_p95_s(Rebuild(10**9, 5 * 10**8), rates) == 100 + 20 + 20 + TABLE_P95_S


def test_a_distribution_without_its_p95_is_refused(tmp_path: Path) -> None:
    found = copy.deepcopy(PROFILE)
    found["clusters"][0] |= {"start_up_s": {"p50": 3}, "starts": 5}
    with pytest.raises(UsageError, match="missing or wrong: 'p95'"):
        load_profile(written(tmp_path, found))


def test_what_no_run_told_is_left_to_the_settings(tmp_path: Path) -> None:
    found = copy.deepcopy(PROFILE) | {"write": None}
    found["read"] = {"s_per_gb": {"p50": 1.0, "p95": 2.0}, "usd_per_gb": None}
    defaults = PlanSettings()
    profiled = with_profile(defaults, load_profile(written(tmp_path, found)))
    assert profiled.rates.read_p95_s_per_gb == 2.0
    assert profiled.rates.write_p95_s_per_gb == defaults.rates.write_p95_s_per_gb
    assert profiled.prices.read_usd_per_gb == defaults.prices.read_usd_per_gb


def test_of_several_clusters_the_settings_name_one(tmp_path: Path) -> None:
    many = copy.deepcopy(PROFILE)
    many["clusters"].append(many["clusters"][0] | {"vm_count": 4, "start_up_p95_s": 200})
    profile = load_profile(written(tmp_path, many))
    settings = PlanSettings()
    with pytest.raises(UsageError, match="match 2 of its clusters: 1 × m5"):
        with_profile(settings, profile)
    chosen = replace(settings, rates=replace(settings.rates, vm_count=4))
    assert with_profile(chosen, profile).rates.start_up_p95_s == 200.0
    assert with_profile(chosen, profile).prices.vm_usd_per_hour == pytest.approx(0.768)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"profile": 2}, '"profile": 1'),
        ({"read": {}}, "s_per_gb"),
        ({"as_of": "yesterday"}, "yesterday"),
        ({"clusters": 3}, "not iterable"),
        ({"write": {"s_per_gb": {"p50": -1, "p95": 1}, "usd_per_gb": 0}}, "p50 = -1"),
        ({"write": {"s_per_gb": {"p50": 1, "p95": float("nan")}, "usd_per_gb": 0}}, "p95 = nan"),
        ({"write": {"s_per_gb": {"p50": 1, "p95": "1"}, "usd_per_gb": 0}}, "p95 = '1'"),
    ],
)
def test_a_wrong_profile_is_refused(tmp_path: Path, change: dict[str, Any], hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_profile(written(tmp_path, PROFILE | change))
    assert "profile.json" in str(caught.value)
    assert hint in str(caught.value)


def test_what_is_no_json_and_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text("{")
    with pytest.raises(UsageError, match="not JSON"):
        load_profile(tmp_path / "profile.json")
    with pytest.raises(UsageError, match="No such file"):
        load_profile(tmp_path / "nowhere.json")
