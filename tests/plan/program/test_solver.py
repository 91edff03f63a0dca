"""A solver that lies, or is not there, is found out by name."""

from collections.abc import Callable
from typing import Any

import pulp
import pytest

from r2d2.errors import MissingDependencyError
from r2d2.plan.program import InvalidAnswerError, Solver, solve
from tests.support.plan.graphs import twins


class Liar(pulp.LpSolver):  # type: ignore[misc]
    """A solver that says what it is told to say."""

    def __init__(self, values: Callable[[str], float], status: int, bound: float = 0.0) -> None:
        super().__init__(msg=False)
        self.values, self.claim, self.bound = values, status, bound

    def available(self) -> bool:
        return True

    def actualSolve(self, program: Any) -> int:  # noqa: N802
        for variable in program.variables():
            variable.varValue = self.values(variable.name)
        program.solverModel = self
        program.assignStatus(pulp.LpStatusOptimal, self.claim)
        return int(pulp.LpStatusOptimal)

    def getInfo(self) -> Any:  # noqa: N802
        return type("Info", (), {"mip_dual_bound": self.bound})


OPTIMAL = pulp.LpSolutionOptimal


@pytest.mark.parametrize(
    ("liar", "lie"),
    [
        (Liar(lambda name: 0.0, OPTIMAL), "nothing to rebuild it from"),
        (Liar(lambda name: 0.5, OPTIMAL), "gives 0.5 where only 0 and 1 may be"),
        (Liar(lambda name: 1.0, OPTIMAL, bound=9e9), "above the cost"),
        (Liar(lambda name: 1.0, pulp.LpSolutionInfeasible), "though all may be kept"),
    ],
)
def test_an_invalid_answer_is_an_error(
    liar: Liar, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("r2d2.plan.program.milp._command", lambda *_: liar)
    with pytest.raises(InvalidAnswerError, match=lie):
        solve(twins(1.0, 1.0))


def test_a_claim_of_optimality_beside_a_low_bound_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keeps_all = Liar(lambda name: 1.0, OPTIMAL, bound=1e6)
    monkeypatch.setattr("r2d2.plan.program.milp._command", lambda *_: keeps_all)
    solution = solve(twins(1.0, 1.0))
    assert (solution.status.value, solution.gap) == ("feasible", pytest.approx(1 - 1.0 / 1.1))


def test_an_answer_that_a_solver_has_none_of_is_made_greedily(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = Liar(lambda name: 0.0, pulp.LpSolutionNoSolutionFound)
    monkeypatch.setattr("r2d2.plan.program.milp._command", lambda *_: silent)
    solution = solve(twins(1.0, 1.0))
    assert (solution.status.value, solution.cost_usd_per_month) == ("feasible", 1.1)


def test_a_solver_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulp.PULP_CBC_CMD, "pulp_cbc_path", "/nowhere/cbc")
    with pytest.raises(MissingDependencyError, match="cbc does not run here"):
        solve(twins(1.0, 1.0), Solver.CBC)
