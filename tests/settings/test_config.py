"""Settings: defaults, TOML, flags; nonsense is refused by name."""

from pathlib import Path

import pytest

import r2d2
from r2d2.errors import UsageError
from r2d2.model import Types
from r2d2.settings.find import Settings, load_settings


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
    ("text", "hint"),
    [
        ("[find]\nmin_fractoin = 0.9\n", "known are types, min_fraction"),
        ("[found]\n", "unknown key 'found'"),
        ('[find]\nmin_fraction = "0.9"\n', "expected float"),
        ("[find]\nmin_fraction = 0.0\n", "(0, 1]"),
        ('[find]\ntypes = "loose"\n', "loose"),
        ("[find\n", "not TOML"),
        ('[[text]]\ndelimiter = ";"\n', "tables ="),
    ],
)
def test_nonsense_is_a_usage_error_that_names_it(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(toml(tmp_path, text))
    assert hint in str(caught.value)


def test_an_unknown_text_setting_is_refused_even_where_no_table_matches(tmp_path: Path) -> None:
    settings = load_settings(toml(tmp_path, '[[text]]\ntables = "x"\ndelimeter = ";"\n'))
    with pytest.raises(UsageError, match="delimeter"):
        r2d2.find(tmp_path, settings)
