"""What a plan says beside its choices: what was asked for and meant no table of the lake."""

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from r2d2.costs import PlanSettings
from r2d2.report.words import pluralize


def warnings(
    settings: PlanSettings, locations: Collection[str], elsewhere: Sequence[str]
) -> tuple[str, ...]:
    """A sentence for each pattern that matches no table, and one for usage of other tables.

    A pattern with a typo protects nothing: whoever wrote it must be told.
    """
    return (*_unmatched(settings, locations), *_passed_over(elsewhere))


def _unmatched(settings: PlanSettings, locations: Collection[str]) -> Iterator[str]:
    for section in ("protect", "limit", "tenant"):
        for rule in getattr(settings, section):
            if not any(fnmatchcase(location, rule.tables) for location in locations):
                yield f"[[{section}]] {rule.tables!r} matches no table of the lake"


def _passed_over(elsewhere: Sequence[str]) -> Iterator[str]:
    if elsewhere:
        yield (
            f"usage: {pluralize(len(elsewhere), 'line')} of tables that are not in the lake,"
            f" such as {elsewhere[0]!r}"
        )
