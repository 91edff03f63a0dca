"""Gives a model to HiGHS or CBC, and believes of the answer only what can be computed again."""

from typing import Any

from r2d2.errors import MissingDependencyError
from r2d2.plan.program.milp import PROVED, Answer, Model
from r2d2.plan.program.problem import InvalidAnswerError, Solver

SLOPPY = 1e-6
"""How far a solver's numbers may be from whole ones, and its bound above a recomputed cost."""


def ask(model: Model, solver: Solver, time_limit_s: float | None) -> Answer | None:
    """The tables of the model to keep, or None where no answer was found in time.

    Raises:
        InvalidAnswerError: the answer breaks the model, or claims what does not hold.
        MissingDependencyError: the solver is not there.
    """
    import pulp

    from r2d2.program.formulation import formulated

    program, keep = formulated(model)
    try:
        program.solve(_command(solver, time_limit_s))
    except pulp.PulpSolverError as error:
        raise InvalidAnswerError(f"{solver.value} failed: {error}") from error
    if program.sol_status == pulp.LpSolutionNoSolutionFound:
        return None
    if program.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        claim = pulp.LpSolution[program.sol_status]
        raise InvalidAnswerError(f"{solver.value} claims {claim!r}, though all may be kept")
    kept = frozenset(table for table, value in keep.items() if _whole(value.value(), solver))
    return _verified(model, kept, _claimed_bound(model, program, solver), solver)


def solver_version(solver: Solver) -> str:
    """The solver with its version, without starting it."""
    from importlib.metadata import version

    pulp = f"PuLP {version('pulp')}"
    return f"CBC of {pulp}" if solver is Solver.CBC else f"HiGHS {version('highspy')}, {pulp}"


def _command(solver: Solver, time_limit_s: float | None) -> Any:
    import pulp

    if solver is Solver.HIGHS:
        command = pulp.HiGHS(
            msg=False,
            timeLimit=time_limit_s,
            gapRel=0,
            gapAbs=0,
            parallel="off",
            mip_feasibility_tolerance=PROVED,
            primal_feasibility_tolerance=PROVED,
            dual_feasibility_tolerance=PROVED,
        )
    else:
        # The class PULP_CBC_CMD runs the same file, and warns that PuLP 4 has it no more. CBC's
        # presolve took minutes where the rest took 4 s, and looks at no clock.
        command = pulp.COIN_CMD(
            path=pulp.PULP_CBC_CMD.pulp_cbc_path,
            msg=False,
            timeLimit=time_limit_s,
            gapRel=0,
            gapAbs=PROVED,
            presolve=False,
        )
    if not command.available():
        raise MissingDependencyError(f"{solver.value} does not run here: take another solver")
    return command


def _whole(value: float | None, solver: Solver) -> bool:
    if value is None or abs(value - round(value)) > SLOPPY:
        raise InvalidAnswerError(f"{solver.value} gives {value} where only 0 and 1 may be")
    return round(value) == 1


def _claimed_bound(model: Model, program: Any, solver: Solver) -> float:
    # PuLP does not tell CBC's bound: it is known only where CBC claims to be done.
    from pulp import LpSolutionOptimal

    if solver is Solver.HIGHS:
        return float(program.solverModel.getInfo().mip_dual_bound)
    done = program.sol_status == LpSolutionOptimal
    return float(program.objective.value()) if done else model.scaled_floor()


def _verified(model: Model, kept: frozenset[int], bound: float, solver: Solver) -> Answer:
    cost = model.scaled_cost(kept)
    if bound > cost + SLOPPY * max(1.0, cost):
        raise InvalidAnswerError(f"{solver.value} claims a bound of {bound} above the cost {cost}")
    return Answer(kept, max(bound, model.scaled_floor()))
