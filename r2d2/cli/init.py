"""`r2d2 init`: writes a settings file with all defaults."""

from pathlib import Path

from r2d2.cli.terminal import print_lines
from r2d2.errors import EXIT_OK, UsageError


def init(path: Path = Path("r2d2.toml"), /) -> int:
    """Write a commented TOML file of all settings a plan has, at their defaults.

    For example: r2d2 init r2d2.toml
    """
    from r2d2.settings.template import INIT_TOML
    from r2d2.storage.output import write_files

    if path.exists():
        raise UsageError(f"{path}: it exists already and is left as it is")
    write_files(path.parent, {path.name: INIT_TOML}, marked=False)
    print_lines([f"written to {path}"])
    return EXIT_OK
