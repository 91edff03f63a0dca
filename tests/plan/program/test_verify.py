"""Each rule is broken by a plan that breaks no other, and is named."""

from dataclasses import replace

import pytest

from r2d2.plan.program import Choice, Option, Problem, Rule, verify
from tests.support.plan.graphs import GB, table

LAKE = Problem(
    tables=(
        table("warehouse/orders", 5.0, 50 * GB),
        table("exports/orders", 2.0, 20 * GB, limit_s=600.0),
        table("exports/orders_2", 2.0, 20 * GB, must_keep="protected: the auditors read it"),
        table("exports/orders_3", 2.0, 20 * GB),
    ),
    options=(
        Option(1, (0,), 0.5, 300.0),
        Option(1, (0,), 0.4, 601.0),
        Option(1, (0,), 0.3, 300.0, struck="it was run and lacks two rows"),
        Option(2, (0,), 0.5, 300.0),
        Option(3, (1,), 0.5, 300.0),
        Option(3, (0, 2), 0.6, 300.0),
    ),
)
KEEP = (Choice(0), Choice(1), Choice(2), Choice(3))


def rules(choices: tuple[Choice, ...], usd: float, problem: Problem = LAKE) -> list[str]:
    return [violation.rule.value for violation in verify(problem, choices, usd)]


def test_keeping_everything_and_a_sound_deletion_are_let_through() -> None:
    assert rules(KEEP, 11.0) == []
    assert rules((Choice(0), Choice(1, 0), Choice(2), Choice(3, 5)), 8.1) == []


@pytest.mark.parametrize(
    ("choices", "usd", "rule"),
    [
        ((*KEEP, Choice(4)), 11.0, Rule.KNOWN_TABLE),
        ((*KEEP, Choice(-1)), 11.0, Rule.KNOWN_TABLE),
        (KEEP[:3], 9.0, Rule.ONE_CHOICE),
        ((*KEEP, Choice(3)), 11.0, Rule.ONE_CHOICE),
        ((Choice(0), Choice(1, 6), Choice(2), Choice(3)), 9.0, Rule.KNOWN_RECIPE),
        ((Choice(0), Choice(1, -1), Choice(2), Choice(3)), 9.6, Rule.KNOWN_RECIPE),
        ((Choice(0), Choice(1), Choice(2), Choice(3, 0)), 9.5, Rule.OWN_RECIPE),
        ((Choice(0), Choice(1, 2), Choice(2), Choice(3)), 9.3, Rule.STRUCK_OUT),
        ((Choice(0), Choice(1), Choice(2, 3), Choice(3)), 9.5, Rule.MUST_KEEP),
        ((Choice(0), Choice(1, 1), Choice(2), Choice(3)), 9.4, Rule.LATENCY),
        ((Choice(0), Choice(1, 0), Choice(2), Choice(3, 4)), 8.0, Rule.PARENT_KEPT),
        ((Choice(0), Choice(1, 0), Choice(2), Choice(3)), 9.4, Rule.COST_TOTAL),
    ],
)
def test_a_plan_that_breaks_one_rule_is_refused_by_its_name(
    choices: tuple[Choice, ...], usd: float, rule: Rule
) -> None:
    assert rules(choices, usd) == [rule.value]


def test_a_plan_that_deletes_one_byte_more_than_the_cap_is_refused() -> None:
    choices = (Choice(0), Choice(1, 0), Choice(2), Choice(3))
    assert rules(choices, 9.5, replace(LAKE, max_deleted_bytes=20 * GB)) == []
    assert rules(choices, 9.5, replace(LAKE, max_deleted_bytes=20 * GB - 1)) == ["cap"]


def test_a_plan_that_deletes_both_twins_is_refused() -> None:
    twins = Problem(
        (table("a", 1.0), table("b", 1.0)), (Option(0, (1,), 0.1, 1.0), Option(1, (0,), 0.1, 1.0))
    )
    assert rules((Choice(0, 0), Choice(1, 1)), 0.2, twins) == ["parent-kept", "parent-kept"]


def test_a_sentence_names_the_tables_and_the_reason() -> None:
    choices = (Choice(0), Choice(1), Choice(2, 3), Choice(3))
    (violation,) = verify(LAKE, choices, 9.5)
    assert violation.sentence == (
        "exports/orders_2 is deleted but must stay: protected: the auditors read it"
    )
