"""The cheapest set of tables to keep, such that each other one can be rebuilt.

    keep_t ∈ {0, 1}                for every table t
    x_e ∈ {0, 1}                   for every option e of its child t(e): a recipe by which it is
                                   rebuilt when it is read, or a view by which its parents are
    minimise  Σ_t keep_t · keep_usd_t  +  Σ_e x_e · usd_e
    subject to
      keep_t + Σ_{e: t(e) = t} x_e = 1          one choice for every table
      x_e ≤ keep_p                              for every parent p of e: parents stay
      x_e = 0                                   where seconds_e > limit_s of t(e), or e was struck
      keep_t = 1                                where t has a reason to stay
      x_e = 0                                   where keep_usd_t(e) - usd_e < min_saving
      Σ_t (1 - keep_t) · size_bytes_t ≤ max_deleted_bytes     where a cap is given
      Σ_e x_e · (keep_usd_t(e) - usd_e) ≥ min_plan_saving, or keep_t = 1 for every t

It is facility location in which customers may open as facilities, NP-hard by set cover. So:
`reduce` drops what no best plan needs and fixes what is forced, `solve` splits the rest into
components, `milp` gives each to a solver, and only the kept set is taken from its answer: every
deleted table then goes by its cheapest option on kept parents. `verify` shares no code with
all that.

The cheapest plan saves the most: where that is less than `min_plan_saving`, all tables stay.

An option that costs no less than keeping its table is never chosen, so a table is deleted for a
saving only. Where plans cost the same, the first of equally cheap options is taken, and of two
tables that rebuild each other the one of lower rank stays, then the one listed first: money
before preference, preference before order. With that, the same problem, solver and versions give
the same answer, unless the time limit ends the search.
"""

from r2d2.plan.program.problem import (
    Choice,
    InvalidAnswerError,
    Option,
    Problem,
    ProblemError,
    Solution,
    Solver,
    Status,
    StoredTable,
)
from r2d2.plan.program.solve import solve
from r2d2.plan.program.verify import Rule, Violation, verify

__all__ = [
    "Choice",
    "InvalidAnswerError",
    "Option",
    "Problem",
    "ProblemError",
    "Rule",
    "Solution",
    "Solver",
    "Status",
    "StoredTable",
    "Violation",
    "solve",
    "verify",
]
