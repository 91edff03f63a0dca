"""Settings: defaults, TOML, flags; nonsense is refused by name."""

from pathlib import Path

import pytest

from r2d2.errors import UsageError
from r2d2.model import Types
from r2d2.settings import is_among
from r2d2.settings.find import Settings, TableRule, TextRule, load_settings
from r2d2.settings.plan import Limit, PlanSettings, Protection, Tenant, load_plan_settings


def toml(folder: Path, text: str) -> Path:
    path = folder / "r2d2.toml"
    path.write_text(text)
    return path


def test_flags_go_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    path = toml(tmp_path, '[find]\ntypes = "widened"\nmin_fraction = 1\nsketch_size = 16\n')
    settings = load_settings(path, sketch_size=32, threads=None)
    assert (settings.types, settings.min_fraction, settings.sketch_size) == (Types.WIDENED, 1.0, 32)
    assert settings.threads == Settings().threads


def test_later_rules_for_text_go_over_earlier_ones(tmp_path: Path) -> None:
    path = toml(
        tmp_path,
        '[[text]]\ntables = "*.csv"\ndelimiter = ";"\nencoding = "utf-8"\n'
        '[[text]]\ntables = "a/*"\ndelimiter = "|"\n',
    )
    settings = load_settings(path)
    assert settings.text_overrides("a/x.csv") == {"delimiter": "|", "encoding": "utf-8"}
    assert settings.text_overrides("b/x.json") == {}


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("[find]\nmin_fractoin = 0.9\n", 2, "did you mean 'min_fraction'?"),
        ("[find]\nminimum = 0.9\n", 2, "known are types, min_fraction"),
        ("[find]\ntext = []\n", 2, "unknown key 'text'"),
        ("[fnid]\n", 1, "unknown section 'fnid' (did you mean 'find'?)"),
        ("[found]\n", 1, "known are [find], [[text]], [[table]], [prices]"),
        ("types = 'widened'\n", 1, "as a key it belongs under [find]"),
        ('[find]\nmin_fraction = "0.9"\n', 2, "expected a share from 0 to 1"),
        ("[find]\n\nmin_fraction = 0.0\n", 3, "(0, 1]"),
        ('[find]\ntypes = "loose"\n', 2, 'expected "strict" or "widened"'),
        ("[find]\nmemory_bytes = -1\n", 2, "expected a whole number, 0 or more: bytes"),
        ("[find]\nthreads = 0\n", 2, "give at least 1"),
        ('[find]\nstages = ["schema", "magic"]\n', 2, "'magic' is none of schema, metadata"),
        ("[find\n", None, "not TOML"),
        ('[[text]]\ndelimiter = ";"\n', 1, "[[text]] needs tables: a text in quotes"),
        ('[text]\ntables = "*"\n', 1, "write [[text]]"),
        ('[[text]]\ntables = "*"\ndelimeter = ";"\n', 3, "did you mean 'delimiter'?"),
        ('[[text]]\ntables = "*"\ndelimiter = ";;"\n', 3, "expected one ASCII character"),
        ('[[text]]\ntables = "*"\nencoding = "klingon"\n', 3, "expected a text encoding's name"),
        ('[[text]]\ntables = "*"\nheader = 1\n', 3, "expected true or false"),
        ('[[text]]\ntables = "*"\nskip_rows = -1\n', 3, "expected a whole number, 0 or more"),
    ],
)
def test_nonsense_is_named_with_its_line(
    tmp_path: Path, text: str, line: int | None, hint: str
) -> None:
    path = toml(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}: " if line is None else f"{path}:{line}: ")
    assert hint in str(caught.value)


def test_an_empty_quote_says_that_there_is_none(tmp_path: Path) -> None:
    settings = load_settings(toml(tmp_path, '[[text]]\ntables = "*"\nquote = ""\n'))
    assert settings.text_overrides("a.csv") == {"quote": ""}


def test_an_unknown_key_of_a_rule_is_refused_before_any_table_is_read() -> None:
    with pytest.raises(UsageError, match="delimeter"):
        TextRule("*", {"delimeter": ";"})


@pytest.mark.parametrize(
    "pattern",
    ["b", "b/", "./b", "b/x[1].csv", "./b//x[1].csv", "b/x[1].csv/", "b/*", "[ab]", "*.csv", "./"],
)
def test_tables_are_named_by_location_folder_or_glob(pattern: str) -> None:
    assert is_among("b/x[1].csv", pattern)


@pytest.mark.parametrize("pattern", ["/b", "/", "b/x", "x[1].csv", "b/x[1].csv/y", "B", ""])
def test_what_names_another_thing_names_no_table(pattern: str) -> None:
    assert not is_among("b/x[1].csv", pattern)


def test_a_name_with_glob_characters_means_its_own_table_in_every_section() -> None:
    name = "x/sales[DE].parquet"
    plan = PlanSettings(
        limit=(Limit(name, 5.0),),
        protect=(Protection(name, "law"),),
        tenant=(Tenant(name, "acme"),),
    )
    assert (plan.limit_s(name), plan.protection(name), plan.tenant_of(name)) == (5.0, "law", "acme")
    assert plan.protection("x/salesD.parquet") == "law"
    assert list(plan.idle_rules([name])) == []
    assert Settings(text=(TextRule(name, {"header": True}),)).text_overrides(name)
    assert TableRule(files=name).matches(name)
    assert TableRule(folder="t[12]").matches("t[12]")
    assert not TableRule(folder="t").matches("t/1")


def test_a_protection_that_can_match_no_location_is_refused_with_its_line(tmp_path: Path) -> None:
    path = toml(tmp_path, '[[protect]]\nreason = "law"\ntables = "/b/x.csv"\n')
    with pytest.raises(UsageError, match=r"r2d2\.toml:3: tables = '/b/x\.csv': give a pattern of"):
        load_plan_settings(path)
