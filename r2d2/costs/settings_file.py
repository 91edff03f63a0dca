"""Reads a plan's sections of `r2d2.toml`. What is wrong is named with its line and its remedy."""

from dataclasses import replace
from pathlib import Path

from r2d2.errors import UsageError
from r2d2.settings.find import FIND_SECTIONS
from r2d2.settings.plan import (
    Latency,
    Limit,
    PlanLimits,
    PlanSettings,
    Prices,
    Protection,
    Rates,
    Tenant,
    UsageDefaults,
)
from r2d2.settings.toml import Sections, TomlFile, read_toml
from r2d2.toml_words import expected

SECTIONS = Sections(
    {
        "prices": Prices,
        "rates": Rates,
        "usage": UsageDefaults,
        "latency": Latency,
        "plan": PlanLimits,
    },
    {"limit": Limit, "protect": Protection, "tenant": Tenant},
    FIND_SECTIONS,
)


def load_plan_settings(path: Path | None) -> PlanSettings:
    """The settings of a TOML file over the defaults; what `find` reads is passed over.

    Raises:
        UsageError: the file is missing or no TOML, or a section, key, type or value is wrong.
    """
    return PlanSettings() if path is None else _settings(_file(path))


def load_prices(path: Path) -> Prices:
    """The prices of a TOML file that has a `[prices]` section and no other.

    Raises:
        UsageError: as `load_plan_settings`, or there is no such section, or another one.
    """
    file = _file(path)
    if "prices" not in file.found:
        raise UsageError(f"{path}: has no [prices] section")
    for name in file.found:
        if name != "prices":
            raise file.error((name,), f"{name}: a file of prices has a [prices] section only")
    return _settings(file).prices


def _file(path: Path) -> TomlFile:
    return read_toml(path, SECTIONS, f"; `r2d2 init {path}` writes one")


def _settings(file: TomlFile) -> PlanSettings:
    """The file's sections; prices have their day, and the file's name where no source is told."""
    settings = PlanSettings(**file.values())
    prices = file.found.get("prices")
    if not prices:
        return settings
    if "as_of" not in prices:
        told = expected("as_of", type(settings.prices.as_of))
        raise file.error(("prices",), f"[prices] needs as_of: {told}")
    source = prices.get("source", file.path.name)
    return replace(settings, prices=replace(settings.prices, source=source))
