"""`r2d2 check`: refuses a plan that breaks a rule or states a wrong figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from r2d2.cli import Json
from r2d2.cli.terminal import print_json, print_lines
from r2d2.errors import EXIT_FAILED, EXIT_OK
from r2d2.text_tables import pluralize


def check(
    plan: Annotated[Path, Parameter(help="Plan's file, or folder of a run with a plan.")],
    /,
    *,
    run: Annotated[
        Path | None, Parameter(help="Folder of the plan's run, if PLAN does not lie in it.")
    ] = None,
    no_lake: Annotated[bool, Parameter(negative="", help="Do not look at the lake.")] = False,
    json: Json = False,
) -> int:
    """Refuse PLAN if it breaks a rule, states a wrong figure, or the lake has changed since.

    Every figure is derived again from the plan's settings and evidence, and the
    evidence is held against graph.json and recipes.json of its run. The lake is
    listed; no rows are read.

    Exit codes: 0 the plan holds, 1 it is refused and each reason is told, 2 it is
    no plan of this version of r2d2, or its SHA-256 is another.

    For example: r2d2 check run/plan.json
    """
    from r2d2.plan.check import check_plan
    from r2d2.plan.graph_file import PLAN_NAME, run_of
    from r2d2.plan.lake_now import compare_lake
    from r2d2.plan.plan_file import load_plan

    plan = plan / PLAN_NAME if plan.is_dir() else plan
    made = load_plan(plan)
    notes = []
    if run is None and (plan.parent / "graph.json").is_file():
        run = plan.parent
    if run is not None:
        run = run_of(made, run)
    else:
        missing = f"graph.json and recipes.json are not in {plan.parent}"
        notes.append(f"{missing}: what was measured is taken on the plan's word; give --run")
    broken = list(check_plan(made, run))
    if not no_lake:
        since = compare_lake(made, run)
        broken += [rule for rule in since.broken if rule not in broken]
        notes += since.notes
    if not broken:
        notes.insert(0, f"its SHA-256, for `r2d2 approve --sha256`, is {made['sha256']}")
    if json:
        told = [{"rule": rule, "told": sentence, "refuses": True} for rule, sentence in broken]
        print_json(told + [{"rule": "note", "told": note, "refuses": False} for note in notes])
    else:
        print_lines(
            [_verdict(broken, notes), *(f"{rule}: {sentence}" for rule, sentence in broken)]
        )
        print_lines(f"note: {note}" for note in notes)
    return EXIT_FAILED if broken else EXIT_OK


def _verdict(broken: Sequence[tuple[str, str]], notes: Sequence[str]) -> str:
    """The first line: whether the plan holds, and what to do where it does not."""
    from r2d2.plan.lake_now import PLAN_AGAIN

    if not broken:
        return "the plan holds"
    remedy = "; run `r2d2 plan` again"
    if all(rule.startswith("lake-") for rule, _ in broken):
        remedy = f"; {PLAN_AGAIN}" if any(PLAN_AGAIN in note for note in notes) else ""
    reasons = pluralize(len(broken), "reason")
    return f"refused, for {reasons}: nothing of it may be approved or applied{remedy}"
