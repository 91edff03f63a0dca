"""Each problem of a log is told on the page on `vmcost`."""

import re
from pathlib import Path

from r2d2.vmcost.events.problems import LogProblem
from r2d2.vmcost.report.figures import problem_words

REPOSITORY = Path(__file__).parents[2]


def test_the_docs_say_what_each_problem_of_a_log_means() -> None:
    table = (REPOSITORY / "docs/vmcost.md").read_text("utf-8").partition("## What the log lacks")[2]
    told = {name for row in re.findall(r"^\| ([^|]+) \|", table, re.M) for name in row.split(", ")}
    bill = "\n".join(p.read_text("utf-8") for p in (REPOSITORY / "r2d2/vmcost/bill").glob("*.py"))
    of_bills = set(re.findall(r'problems\["(\w+)"\]', bill))
    assert of_bills
    wanted = {problem_words(name) for name in (*(each.value for each in LogProblem), *of_bills)}
    assert wanted <= told
