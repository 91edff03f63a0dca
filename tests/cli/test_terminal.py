"""What a command says while it works: how far it is, how long it takes, and how much of that."""

import logging
from collections.abc import Sequence

import pytest

from r2d2.cli import terminal
from r2d2.cli.terminal import LogProgress, print_lines, set_loudness, time_left, watching
from r2d2.errors import UsageError
from r2d2.progress import Silence


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: its last number is the time."""
    clock = [0.0]
    monkeypatch.setattr(terminal, "monotonic", lambda: clock[-1])
    return clock


def lines(
    caplog: pytest.LogCaptureFixture, seconds: list[float], work: Sequence[tuple[float, int]]
) -> list[str]:
    """The lines of a progress to which so many bytes come at each of these seconds."""
    progress = LogProgress()
    progress.begin("hashing", sum(size for _, size in work))
    with caplog.at_level(logging.INFO, "r2d2"):
        for at, size in work:
            seconds.append(at)
            progress.advance(size, 1)
    return [record.getMessage() for record in caplog.records]


def test_small_children_before_a_large_one_do_not_make_hours_of_half_a_minute(
    caplog: pytest.LogCaptureFixture, seconds: list[float]
) -> None:
    small = [(10.0 * step, 1_000) for step in range(1, 10)]
    told = lines(caplog, seconds, [*small, (125.0, 10_000_000)])
    assert len(told) >= 9
    assert told[0] == "hashing: 1.0 kB of 10.0 MB"
    assert not any("left" in line for line in told[:-1])


def test_steady_work_tells_its_time_from_a_twentieth_on(
    caplog: pytest.LogCaptureFixture, seconds: list[float]
) -> None:
    told = lines(caplog, seconds, [(float(step), 1_000) for step in range(1, 1001)])
    with_time = [line for line in told if "left" in line]
    assert len(with_time) >= 90
    assert with_time[0].endswith("about 16 min left")
    assert "hashing: 500.0 kB of 1.0 MB, 1.0 kB/s, 1 rows/s, about 8 min left" in with_time


@pytest.mark.parametrize(
    ("left_s", "told"), [(3, "10 s"), (85, "90 s"), (100, "2 min"), (5000, "83 min"), (9000, "2 h")]
)
def test_a_time_left_is_told_no_finer_than_it_is_known(left_s: float, told: str) -> None:
    assert time_left(left_s, 50, 100, 1) == f"about {told} left"


def test_more_than_was_announced_has_no_time_left() -> None:
    assert time_left(30, 101, 100, 1) == time_left(30, 100, 100, 1) == ""
    assert time_left(30, 0, 0, 0) == ""


def test_quiet_prints_no_text_and_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        set_loudness(["-q"])
        print_lines(["a result"])
        with watching() as progress:
            assert isinstance(progress, Silence)
    finally:
        set_loudness([])
    print_lines(["another"])
    assert capsys.readouterr().out == "another\n"


def test_quiet_and_verbose_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        set_loudness(["-q", "--verbose"])
