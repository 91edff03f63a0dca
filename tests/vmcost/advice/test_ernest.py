"""Ernest's model: its public example, exact laws, and what it refuses."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r2d2.errors import UsageError
from r2d2.vmcost.advice.right_size.ernest import MeasuredRun, fit_ernest

RCV1 = (
    MeasuredRun(0.125, 32, 7.94516801834),
    MeasuredRun(0.015625, 4, 4.72029209137),
    MeasuredRun(0.021382, 4, 4.87661099434),
    MeasuredRun(0.050164, 12, 6.71376490593),
    MeasuredRun(0.055921, 12, 6.71519398689),
    MeasuredRun(0.061678, 12, 6.6739718914),
    MeasuredRun(0.061678, 16, 6.83566999435),
)
"""The runs of examples/rcv1-parsed.csv in github.com/amplab/ernest, commit ae245bf."""


def test_the_public_example_gives_its_known_coefficients() -> None:
    model = fit_ernest(RCV1)
    assert model.theta == pytest.approx((1.90013, 162.198, 0, 1.58832), abs=5e-4)
    assert model.residual_norm_s == pytest.approx(0.27297, abs=1e-5)


@pytest.mark.parametrize(
    ("cores", "seconds"),
    [(16, 16.4412832993), (32, 12.4735312069), (48, 11.4279763052), (64, 11.040126181)],
)
def test_the_public_example_predicts_what_its_page_prints(cores: int, seconds: float) -> None:
    """As printed in examples/mllib_rcv1.md."""
    assert fit_ernest(RCV1).predict(1.0, cores).seconds == pytest.approx(seconds, rel=1e-9)


def test_the_left_out_error_is_of_runs_that_the_model_did_not_see() -> None:
    model = fit_ernest(RCV1)
    others = fit_ernest(RCV1[1:])
    assert model.left_out_ratios[0] == pytest.approx(
        RCV1[0].seconds / others.predict(RCV1[0].scale, RCV1[0].machines).seconds
    )
    errors = [abs(1 / ratio - 1) for ratio in model.left_out_ratios]
    assert model.left_out_error == pytest.approx(sum(errors) / 7)
    assert 0.001 < model.left_out_error < 0.1


thetas = st.tuples(*[st.floats(0.5, 100)] * 4)


@given(thetas)
def test_runs_that_obey_the_law_give_it_back(theta: tuple[float, float, float, float]) -> None:
    def seconds(scale: float, machines: float) -> float:
        terms = (1.0, scale / machines, machines, log(machines))
        return sum(weight * term for weight, term in zip(theta, terms, strict=True))

    sizes = [(0.1, 1), (0.2, 2), (0.5, 4), (1, 4), (1, 8), (0.3, 16)]
    model = fit_ernest(
        [MeasuredRun(scale, machines, seconds(scale, machines)) for scale, machines in sizes]
    )
    assert model.predict(1.0, 12).seconds == pytest.approx(seconds(1.0, 12), rel=1e-6)
    assert model.left_out_error < 1e-6


@given(st.lists(st.floats(1, 1000), min_size=4, max_size=10))
def test_no_coefficient_is_negative(seconds: list[float]) -> None:
    runs = [MeasuredRun(0.1 + number, 1 + 2 * number, one) for number, one in enumerate(seconds)]
    assert min(fit_ernest(runs).theta) >= 0


def test_a_run_of_which_the_others_say_no_time_has_a_ratio_all_the_same() -> None:
    model = fit_ernest(
        [MeasuredRun(1e-9, 1, 5), *(MeasuredRun(1, cores, 80 * log(cores)) for cores in (2, 4, 8))]
    )
    assert model.left_out_ratios[0] == pytest.approx(5000)
    assert model.left_out_error > 0.24


def test_beyond_four_times_the_measured_sizes_a_prediction_says_so() -> None:
    model = fit_ernest(RCV1)
    assert model.predict(0.5, 128).extrapolated == ()
    assert model.predict(0.5, 129).extrapolated == ("machines",)
    assert model.predict(0.51, 128).extrapolated == ("scale",)
    assert model.predict(0.0039, 0.9).extrapolated == ("scale", "machines")


def test_three_runs_are_too_few() -> None:
    with pytest.raises(UsageError, match="3 runs do not fit a model of four terms: give 4"):
        fit_ernest(RCV1[:3])


@pytest.mark.parametrize(
    "run", [MeasuredRun(0, 1, 1), MeasuredRun(1, -1, 1), MeasuredRun(1, 1, float("nan"))]
)
def test_sizes_and_times_must_be_above_zero(run: MeasuredRun) -> None:
    with pytest.raises(UsageError, match="must be a number above 0"):
        fit_ernest([*RCV1, run])


def test_a_size_that_is_asked_for_must_be_above_zero() -> None:
    with pytest.raises(UsageError, match="machines must be a number above 0"):
        fit_ernest(RCV1).predict(1.0, 0)
