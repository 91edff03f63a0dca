"""r2d2.toml for plans: defaults, patterns, and nonsense named with its line and the known keys."""

import re
import tomllib
from dataclasses import MISSING, fields
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from r2d2.cli import main
from r2d2.errors import UsageError
from r2d2.plan.program import Solver
from r2d2.recipes.sql_names import SqlName, load_names
from r2d2.settings import INIT_TOML
from r2d2.settings.deletion import DELETION_SECTIONS, DeletionSettings, load_deletion_settings
from r2d2.settings.find import FIND_SECTIONS, Settings, load_settings
from r2d2.settings.plan import PLAN_SECTIONS, SOLVERS, PlanSettings, load_plan_settings
from r2d2.settings.toml import NO_KEY, NUMBER, SECTIONS, expected, line_of
from r2d2.vmcost.settings import VMCOST_SECTIONS, VmCostSettings, load_vmcost_settings


def toml(folder: Path, text: str) -> Path:
    path = folder / "r2d2.toml"
    path.write_text(text)
    return path


KINDS = {**FIND_SECTIONS, **PLAN_SECTIONS, **DELETION_SECTIONS, **VMCOST_SECTIONS}
KINDS["sql_name"] = SqlName
MACHINE = {"find": {"threads"}}
"""Keys whose default is the machine's own, by their section."""
EXAMPLE = re.compile(r"# (?=\[|[a-z_]+ = )")


def with_examples(text: str) -> str:
    """The file with its commented sections and keys in force."""
    return "".join(EXAMPLE.sub("", line, count=1) for line in text.splitlines(keepends=True))


def test_the_file_that_init_writes_says_the_defaults(tmp_path: Path) -> None:
    path = toml(tmp_path, INIT_TOML)
    assert load_plan_settings(path) == PlanSettings() == load_plan_settings(None)
    assert load_settings(path) == Settings()
    assert load_vmcost_settings(path) == VmCostSettings()
    assert load_deletion_settings(path) == DeletionSettings()


def test_a_setting_with_a_default_is_in_force_and_not_a_comment() -> None:
    data = tomllib.loads(INIT_TOML)
    for name, section in data.items():
        with_default = {
            field.name
            for field in fields(KINDS[name])
            if field.metadata != NO_KEY and field.default is not None
        }
        assert with_default - MACHINE.get(name, set()) == set(section), name


def test_the_file_that_init_writes_has_every_key_of_every_section() -> None:
    data = tomllib.loads(with_examples(INIT_TOML))
    assert data.keys() == SECTIONS.keys()
    for name, kind in KINDS.items():
        sections = data[name] if isinstance(data[name], list) else [data[name]]
        keys = {field.name for field in fields(kind) if field.metadata != NO_KEY}
        assert {key for section in sections for key in section} == keys, name


def test_the_keys_without_which_a_section_is_refused_are_marked_as_needed() -> None:
    marked: dict[str, set[str]] = {name: set() for name in KINDS}
    for line in with_examples(INIT_TOML).splitlines():
        if section := re.match(r"\[\[?([a-z_]+)\]", line):
            name = section[1]
        elif key := re.match(r"([a-z_]+) = .* # needed(; .+)?$", line):
            marked[name].add(key[1])
    needed = {
        name: {
            field.name
            for field in fields(kind)
            if field.default is MISSING and field.default_factory is MISSING
        }
        for name, kind in KINDS.items()
    }
    assert marked == needed


def test_nearly_every_key_of_the_file_that_init_writes_is_explained() -> None:
    keys = [line for line in INIT_TOML.splitlines() if re.match(r"(# )?[a-z_]+ = ", line)]
    bare = [line for line in keys if " # " not in line]
    assert len(bare) < 0.2 * len(keys), bare


def test_the_examples_of_the_file_that_init_writes_load_too(tmp_path: Path) -> None:
    text = with_examples(INIT_TOML)
    settings = load_plan_settings(toml(tmp_path, text))
    assert settings.protection("finance/ledger") == "kept for the auditors"
    assert settings.tenant_of("customers/acme/orders") == "acme"
    assert settings.limit_s("dashboards/sales") == 60.0
    assert load_settings(tmp_path / "r2d2.toml").text[0].overrides["encoding"] == "cp1252"
    assert load_names(tmp_path / "r2d2.toml")
    # Serverless work is priced in one of two ways.
    one_price = text.replace("usd_per_cu_hour = 0.0 ", "# ")
    vmcost = load_vmcost_settings(toml(tmp_path, one_price))
    assert vmcost.serverless is not None
    assert vmcost.job[0].name == "load"


def test_plans_and_find_share_one_file(tmp_path: Path) -> None:
    path = toml(
        tmp_path,
        '[find]\nmin_fraction = 0.9\n[[text]]\ntables = "*.csv"\ndelimiter = ";"\n'
        "[latency]\ndefault_limit_s = 5\n",
    )
    assert load_settings(path).min_fraction == 0.9
    assert load_plan_settings(path).latency.default_limit_s == 5.0


def test_each_known_section_is_read_by_one_command() -> None:
    read = [*FIND_SECTIONS, *PLAN_SECTIONS, *DELETION_SECTIONS, *VMCOST_SECTIONS, "sql_name"]
    assert sorted(read) == sorted(SECTIONS)


def test_all_commands_can_share_one_file(tmp_path: Path) -> None:
    path = toml(
        tmp_path,
        '[cluster]\nprovider = "aws"\n[find]\nsketch_size = 16\n[latency]\ndefault_limit_s = 5\n',
    )
    assert load_settings(path).sketch_size == 16
    assert load_plan_settings(path).latency.default_limit_s == 5.0
    assert load_vmcost_settings(path).cluster.provider == "aws"


def test_plans_and_the_program_know_the_same_solvers() -> None:
    assert tuple(solver.value for solver in Solver) == SOLVERS


def test_of_matching_patterns_the_last_counts(tmp_path: Path) -> None:
    settings = load_plan_settings(
        toml(
            tmp_path,
            '[[limit]]\ntables = "exports/*"\nlimit_s = 60\n'
            '[[limit]]\ntables = "exports/slow/*"\nlimit_s = 7200\n'
            '[[protect]]\ntables = "*/gold"\nreason = "the gold copy"\n'
            '[[tenant]]\ntables = "acme/*"\nname = "acme"\n',
        )
    )
    assert settings.limit_s("exports/a") == 60.0
    assert settings.limit_s("exports/slow/a") == 7200.0
    assert settings.limit_s("warehouse/a") == 3600.0
    assert settings.protection("a/b/gold") == "the gold copy"
    assert settings.protection("gold") is None
    assert (settings.tenant_of("acme/a"), settings.tenant_of("b/a")) == ("acme", None)


def test_prices_carry_the_day_on_which_they_were_looked_up(tmp_path: Path) -> None:
    path = toml(tmp_path, "[prices]\nas_of = 2026-09-01\nstorage_usd_per_gb_month = 0.02\n")
    prices = load_plan_settings(path).prices
    assert (prices.as_of, prices.source) == (date(2026, 9, 1), "r2d2.toml")
    assert prices.scan_usd_per_gb == PlanSettings().prices.scan_usd_per_gb


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("[prices\n", None, "not TOML"),
        ("[pricing]\n", 1, "unknown section 'pricing' (did you mean 'prices'?)"),
        ("[pricing]\n", 1, "known are [prices], [rates], [usage], [latency], [plan], [[limit]]"),
        ("\n[latency]\ndefault_limit_min = 5\n", 3, "did you mean 'default_limit_s'?"),
        ("[latency]\n# in minutes\ndefault_limit = 5\n", 3, "known are default_limit_s"),
        ('[latency]\ndefault_limit_s = "5 min"\n', 2, "expected a number, 0 or more: seconds"),
        ("[latency]\ndefault_limit_s = -1\n", 2, "0 or more"),
        ("[latency]\ndefault_limit_s = inf\n", 2, "0 or more"),
        ("[latency]\ndefault_limit_s = nan\n", 2, "0 or more"),
        (f"[latency]\ndefault_limit_s = {'9' * 400}\n", 2, "0 or more"),
        ("[latency]\ndefault_limit_s = true\n", 2, "expected a number"),
        ("[rates]\nvm_count = 2.5\n", 2, "a whole number"),
        ("[prices]\nscan_usd_per_gb = 1\n", 1, "[prices] needs as_of: a day without quotes"),
        ('[prices]\nas_of = "2026-09-01"\n', 2, "a day without quotes, such as 2026-09-01"),
        ("[prices]\nas_of = 2026-09-01T00:00:00\n", 2, "a day without quotes"),
        ("[prices]\nas_of = 2026-09-01\nstorage_usd_per_tb_month = 20\n", 3, "per_gb_month'?"),
        ("[plan]\nmax_deleted_share = 20\n", 2, "a share from 0 to 1"),
        ('[plan]\nsolver = "gurobi"\n', 2, "known are highs, cbc"),
        ("plan = 3\n", 1, "write [plan] and its keys below"),
        ('[limit]\ntables = "*"\nlimit_s = 1\n', 1, "write [[limit]]"),
        ('[[limit]]\ntables = "*"\n', 1, "[[limit]] needs limit_s: a number, 0 or more: seconds"),
        ('[[protect]]\ntables = "*"\nreason = ""\n', 3, "expected a text in quotes"),
        (
            '[[limit]]\ntables = "*"\nlimit_s = 1\n\n[[limit]]\ntables = "a"\nlimit_h = 1\n',
            7,
            "unknown key 'limit_h'",
        ),
        ('[usage]\nreads_per_month = """\nmany\n"""\n', 2, "reads_per_month = 'many\\n'"),
        ("storage_usd_per_gb_month = 3\n", 1, "as a key it belongs under [prices]"),
        ("[usage]\ndefault_limit_s = 3\n", 2, "it belongs under [latency]"),
        ("[prices]\nas_of = 2026-09-01\nstorage = 1\n", 3, "mean 'storage_usd_per_gb_month'?"),
        (
            '[prices]\nas_of = 2026-09-01\nscan_usd_per_gb = "4 EUR"\n',
            3,
            "expected a number, 0 or more: US dollars per GB (10⁹ bytes)",
        ),
        ('[plan]\nmax_deleted_share = "20 %"\n', 2, "expected a share from 0 to 1"),
        ("usage.reads_per_week = 3\n", 1, "unknown key 'reads_per_week'"),
    ],
)
def test_nonsense_is_named_with_its_line(
    tmp_path: Path, text: str, line: int | None, hint: str
) -> None:
    path = toml(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_plan_settings(path)
    place = f"{path}: " if line is None else f"{path}:{line}: "
    assert str(caught.value).startswith(place)
    assert hint in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml: No such file.*r2d2 init .* writes one"):
        load_plan_settings(tmp_path / "nowhere.toml")


def test_a_key_that_is_not_there_has_no_line() -> None:
    assert line_of("[a]\nb = 1\n", ("a", "c")) is None
    assert line_of('text = """\n[a]\nb = 1\n"""\n[a]\nb = 2\n', ("a", "b")) == 6


RATIOS = {"core_speed", "relative_sd"}


def test_every_number_of_the_settings_has_a_unit_in_words() -> None:
    numbers = [
        (field.name, field.type)
        for kinds in (FIND_SECTIONS, PLAN_SECTIONS, VMCOST_SECTIONS)
        for kind in kinds.values()
        for field in fields(kind)
        if field.type in (float, Fraction)
    ]
    assert {key for key, kind in numbers if expected(key, kind) == NUMBER} == RATIOS
    assert expected("start_up_p95_s", float).endswith("seconds")
    assert expected("memory_bytes", int) == "a whole number, 0 or more: bytes"


def test_init_vmcost_writes_the_sections_on_costs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "vmcost"]) == 0
    written = Path("vmcost.toml").read_text(encoding="utf-8")
    assert "[billing]" in written
    assert "[find]" not in written
    assert load_vmcost_settings(Path("vmcost.toml")) == load_vmcost_settings(None)
    examples = tomllib.loads(with_examples(written))
    assert examples.keys() == VMCOST_SECTIONS.keys()
    assert main(["init", "vmcost"]) == 2
