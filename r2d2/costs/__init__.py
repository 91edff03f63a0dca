"""What tables cost, kept and rebuilt: prices, rates, usage, limits, and who may be deleted.

`settings` holds what `settings_file` reads from `r2d2.toml`, `usage_file` reads who reads which
table, `profile` what the companion job measured; `money` turns them into dollars and seconds.
"""

from r2d2.costs.money import (
    Rebuild,
    maintenance_usd,
    rebuild_p95_s,
    rebuild_usd,
    storage_usd,
)
from r2d2.costs.settings_file import load_plan_settings, load_prices
from r2d2.costs.usage_join import JoinedUsage, joined
from r2d2.plan.profile import Profile, load_profile, with_profile
from r2d2.plan.usage import Usage, load_usage
from r2d2.settings.plan import PlanSettings, Prices, Rates
from r2d2.settings.template import init_text

__all__ = [
    "JoinedUsage",
    "PlanSettings",
    "Prices",
    "Profile",
    "Rates",
    "Rebuild",
    "Usage",
    "init_text",
    "joined",
    "load_plan_settings",
    "load_prices",
    "load_profile",
    "load_usage",
    "maintenance_usd",
    "rebuild_p95_s",
    "rebuild_usd",
    "storage_usd",
    "with_profile",
]
