"""Settings: defaults, TOML, flags; nonsense is refused by name."""

from pathlib import Path

import pytest

from r2d2.errors import UsageError
from r2d2.model import Types
from r2d2.settings.find import Settings, TextRule, load_settings


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
