"""Lifecycle rules of a bucket: the store deletes by them, and asks nobody."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from r2d2.lake.deletions import HOME

ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def lifecycle_reason(
    rules: Iterable[Mapping[str, Any]], keys: Sequence[str], prefix: str, retention_days: float
) -> str | None:
    """Why tables of these keys would not last in quarantine, None where they would.

    Filters by tags and sizes are taken to fit. `prefix` is the lake's in the bucket.
    """
    home = f"{prefix}{HOME}/"
    for rule in rules:
        if rule.get("Status") != "Enabled":
            continue
        begins, name = _prefix(rule), rule.get("ID") or "without a name"
        told = f"the bucket's lifecycle rule {name!r}"
        if _meets(begins, home) and _deletes(rule):
            return f"{told} deletes in `{HOME}/`, where r2d2 keeps its journal: leave that out"
        if not any(key.startswith(begins) for key in keys):
            continue
        for days, does in _terms(rule):
            if days is None or days < retention_days:
                after = "on a date" if days is None else f"after {days} days"
                remedy = "end the rule, or leave the table out of it"
                return f"{told} {does} {after}, the retention is {retention_days:g}: {remedy}"
    return None


def _prefix(rule: Mapping[str, Any]) -> str:
    filter_ = rule.get("Filter") or {}
    both = filter_.get("And") or {}
    return str(rule.get("Prefix") or filter_.get("Prefix") or both.get("Prefix") or "")


def _meets(begins: str, home: str) -> bool:
    return begins.startswith(home) or home.startswith(begins)


def _deletes(rule: Mapping[str, Any]) -> bool:
    return any(does.startswith("deletes") for _, does in _terms(rule))


def _terms(rule: Mapping[str, Any]) -> list[tuple[int | None, str]]:
    """What the rule does to objects and to what was deleted, and after how many days."""
    terms: list[tuple[int | None, str]] = []
    if noncurrent := rule.get("NoncurrentVersionExpiration"):
        terms.append((noncurrent.get("NoncurrentDays"), "deletes older versions"))
    expiration = rule.get("Expiration") or {}
    if "Days" in expiration or "Date" in expiration:
        terms.append((expiration.get("Days"), "deletes objects"))
    moves = rule.get("NoncurrentVersionTransitions") or ()
    archived = [move for move in moves if move.get("StorageClass") in ARCHIVES]
    terms += [(move.get("NoncurrentDays"), "archives older versions") for move in archived]
    return terms
