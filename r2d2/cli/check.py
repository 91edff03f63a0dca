"""`r2d2 check`: refuses a plan that breaks a rule."""

from pathlib import Path

from r2d2.cli import Json
from r2d2.cli.terminal import print_json, print_lines
from r2d2.errors import EXIT_FAILED, EXIT_OK


def check(plan: Path, /, *, json: Json = False) -> int:
    """Refuse PLAN if it breaks a rule: a table that rests on a deleted one, a changed file, ….

    For example: r2d2 check run/plan.json
    """
    from r2d2.plan.check import check_plan
    from r2d2.plan.plan_file import load_plan

    broken = check_plan(load_plan(plan))
    if json:
        print_json([{"rule": rule, "told": sentence} for rule, sentence in broken])
    else:
        print_lines([f"{rule}: {sentence}" for rule, sentence in broken] or ["the plan holds"])
    return EXIT_FAILED if broken else EXIT_OK
