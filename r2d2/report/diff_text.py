"""The differences of two plans in lines of text, the gravest first."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from r2d2.plan.diff import Difference
from r2d2.report.words import pluralize, printable

SHOWN, LONGEST = 20, 60


def diff_lines(found: Sequence[Difference]) -> Iterator[str]:
    """How many differences of each kind there are, and the first of each."""
    if not found:
        yield "the plans are the same"
        return
    for kind, group in groupby(found, attrgetter("kind")):
        own = list(group)
        yield f"{kind.value}: {pluralize(len(own), 'difference')}"
        for difference in own[:SHOWN]:
            subject = " ".join(filter(None, (printable(difference.table), difference.key)))
            yield f"  {subject}: {_short(difference.old)} → {_short(difference.new)}"
        if len(own) > SHOWN:
            yield f"  … and {len(own) - SHOWN:,} more"


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = printable(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
