import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.vmcost.report.timeline import (
    JOB_ROW,
    JOB_ROWS,
    MOST_JOBS,
    MOST_LANES,
    MOST_TICKS,
    SHADES,
    WIDTH,
    Scale,
    grouped,
    job_boxes,
    lane,
    timeline,
    union,
)
from tests.support.vmcost.report_examples import an_application

FRACTIONS = st.lists(st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.99, 1.0]), min_size=1, max_size=40)
RECTANGLE = re.compile(r"M([\d.e-]+) ([\d.]+)h([\d.]+)v([\d.]+)h-")


def rectangles(path: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, found)) for found in RECTANGLE.findall(path)]


def a_host(busy: Sequence[float], failed: Sequence[float] = (), **changes: Any) -> dict[str, Any]:
    host = {"host": "h", "cores": 4, "rented": [[0.0, len(busy)]], "busy": list(busy)}
    return host | {"failed": list(failed) or [0.0] * len(busy)} | changes


@given(busy=FRACTIONS)
def test_every_bin_is_drawn_once_in_its_own_shade(busy: list[float]) -> None:
    """Against brute force: the shade under the middle of each bin."""
    drawn = lane(a_host(busy), 1.0, 40, Scale(0, len(busy), 0, 1000), 0, 10)
    for number, fraction in enumerate(busy):
        x = (number + 0.5) * 1000 / len(busy)
        under = [
            shade
            for shade, path in drawn.busy
            for left, _, width, _ in rectangles(path)
            if left < x < left + width
        ]
        assert under == ([] if fraction == 0 else [max(1, -int(-fraction * SHADES // 1))])


@given(busy=FRACTIONS, most=st.integers(1, 40))
def test_fewer_steps_of_time_keep_the_mean(busy: list[float], most: int) -> None:
    whole = [0.5] * len(busy)
    drawn = lane(a_host(whole), 1.0, most, Scale(0, len(busy), 0, 1000), 0, 10)
    assert [shade for shade, _ in drawn.busy] == [4]
    boxes = rectangles(drawn.busy[0][1])
    assert sum(width for _, _, width, _ in boxes) == pytest.approx(1000, abs=0.2)


def test_failed_tasks_are_red_from_the_lanes_foot_by_their_share() -> None:
    drawn = lane(a_host([1, 1, 1], [0.0, 0.5, 0.01]), 1.0, 9, Scale(0, 3, 0, 300), 0, 20)
    assert rectangles(drawn.failed) == [(100, 10, 100, 10), (200, 15, 100, 5)]


def test_a_lanes_title_tells_its_figures() -> None:
    host = a_host([0.5, 0.5], [0.25, 0.0], host="10.0.0.1")
    drawn = lane(host, 1.0, 9, Scale(0, 2, 0, 300), 0, 20)
    assert drawn.title == "10.0.0.1: 4 cores, rented 2 s, in tasks 50.0 %, in failed ones 12.5 %"


@given(spans=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=8))
def test_a_union_covers_the_same_moments_without_overlaps(spans: list[tuple[int, int]]) -> None:
    spans = [(min(span), max(span)) for span in spans]
    joined = union(spans)
    for moment in (n + 0.5 for n in range(20)):
        covered = sum(start < moment < end for start, end in joined)
        assert covered == any(start < moment < end for start, end in spans)


def test_neighbours_drawn_as_one_weigh_by_their_cores() -> None:
    hosts = [a_host([1.0], cores=12), a_host([0.0], cores=4, rented=[[0.5, 3]])]
    assert grouped(hosts, 2) == hosts
    (one,) = grouped(hosts, 1)
    assert (one["cores"], one["busy"], one["rented"]) == (16, [0.75], [(0.0, 3)])


@given(
    start=st.floats(-100, 0),
    length=st.floats(0.002, 1e9, exclude_min=True),
)
def test_ticks_are_few_in_order_and_in_the_picture(start: float, length: float) -> None:
    scale = Scale(start, start + length, 100, 800)
    ticks = scale.ticks()
    xs = [tick.x for tick in ticks]
    assert len(ticks) <= MOST_TICKS + 1
    assert xs == sorted(xs)
    assert all(100 <= x <= 900 for x in xs)
    assert len({tick.text for tick in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("length_s", "texts"),
    [
        (0.9, ["0", "0.1 s", "0.2 s"]),
        (16, ["0", "2 s", "4 s"]),
        (344, ["0", "1 min", "2 min"]),
        (7200, ["0", "15 min", "30 min"]),
        (36000, ["0", "1 h", "2 h"]),
        (9e5, ["0", "2 d", "4 d"]),
    ],
)
def test_ticks_are_round_moments(length_s: float, texts: list[str]) -> None:
    assert [tick.text for tick in Scale(0, length_s, 0, 800).ticks()][:3] == texts


@pytest.mark.parametrize("hosts", [1, 12, 13, 100, 399, 401, 1000])
def test_any_number_of_hosts_fits_the_picture(hosts: int) -> None:
    drawn = timeline(an_application(hosts=hosts, bins=60), 40_000)
    assert drawn is not None
    assert (drawn.hosts, len(drawn.lanes)) == (
        hosts,
        hosts if hosts <= MOST_LANES else -(-hosts // -(-hosts // MOST_LANES)),
    )
    assert drawn.lanes[0].labelled
    last = drawn.lanes[-1]
    assert last.y + drawn.lane_height < drawn.height
    for own in drawn.lanes:
        for path in (own.rented, own.failed, *(path for _, path in own.busy)):
            for left, top, width, height in rectangles(path):
                assert drawn.left <= left
                assert left + width <= WIDTH
                assert top >= 0
                assert top + height <= drawn.lane_height


def test_time_before_the_start_and_after_the_end_is_drawn_where_it_was_rented() -> None:
    application = an_application(hosts=1, bins=10)
    application["timeline"]["hosts"][0]["rented"] = [[-30.0, 400.0]]
    drawn = timeline(application, 40_000)
    assert drawn is not None
    ((left, _, width, _),) = rectangles(drawn.lanes[0].rented)
    assert (left, left + width) == pytest.approx((drawn.left, WIDTH - 14), abs=0.2)


def test_an_application_without_hosts_has_no_picture() -> None:
    assert timeline(an_application(timeline={"bin_s": 1, "hosts": [], "jobs": []}), 100) is None


def test_jobs_that_overlap_get_rows_of_their_own_until_there_are_too_many() -> None:
    jobs = [{"job": n, "name": "", "start_s": n, "end_s": 50} for n in range(5)]
    boxes = job_boxes(jobs, Scale(0, 100, 0, 1000), 20)
    assert [box.y for box in boxes] == [20 + JOB_ROW * min(n, JOB_ROWS - 1) for n in range(5)]


def test_a_job_without_an_end_runs_to_the_end_and_one_without_a_start_is_not_drawn() -> None:
    jobs = [
        {"job": 1, "name": "save", "start_s": 40.0, "end_s": None},
        {"job": 2, "name": "", "start_s": None, "end_s": 3.0},
    ]
    (box,) = job_boxes(jobs, Scale(0, 100, 0, 1000), 0)
    assert (box.x, box.width, box.title) == (400, 600, "job 1 save: 40 s to 1 min 40 s")


def test_very_many_jobs_are_drawn_as_the_time_that_some_ran() -> None:
    jobs = [{"job": n, "name": "", "start_s": n, "end_s": n + 1} for n in range(MOST_JOBS + 1)]
    (box,) = job_boxes(jobs, Scale(0, 1000, 0, 1000), 0)
    assert (box.width, box.title) == (MOST_JOBS + 1, f"some of {MOST_JOBS + 1} jobs ran")
