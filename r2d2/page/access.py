"""Who may read a table by the permissions of its file or folder, where the lake is a local one.

Equal tables that not the same people may read are no plain copies: whoever loses one may lose the
rows, and whoever is sent to another may see more than before. Permissions of object stores and
catalogues are not asked.
"""

import grp
import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from r2d2.text_tables import printable


@dataclass(frozen=True, slots=True)
class Access:
    """The owner of a file or folder, and who may read it: users and groups by name, or everyone."""

    owner: str
    readers: tuple[str, ...]


def access_of(lake: str, locations: Iterable[str]) -> dict[str, Access]:
    """The access to each of these tables; nothing of a lake that is no local folder any more."""
    root = Path(lake)
    if not root.is_absolute() or not root.is_dir():
        return {}
    found = {location: _access(root / location) for location in locations}
    return {location: access for location, access in found.items() if access}


def _access(path: Path) -> Access | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    owner, group = _user(status.st_uid), f"group {_group(status.st_gid)}"
    if status.st_mode & 0o004:
        return Access(owner, ("everyone",))
    may = ((owner, 0o400), (group, 0o040))
    return Access(owner, tuple(name for name, bit in may if status.st_mode & bit) or ("nobody",))


@cache
def _user(number: int) -> str:
    return _named(number, lambda n: pwd.getpwuid(n).pw_name)


@cache
def _group(number: int) -> str:
    return _named(number, lambda n: grp.getgrgid(n).gr_name)


def _named(number: int, name: Callable[[int], str]) -> str:
    """The name of a user or group, or its number where it has none."""
    try:
        return printable(name(number))
    except KeyError:
        return str(number)


def different(groups: Iterable[Iterable[str]], access: Mapping[str, Access]) -> list[list[str]]:
    """The groups of equal tables whose readers are known and not the same."""
    known = ([name for name in group if name in access] for group in groups)
    return [names for names in known if len({access[name].readers for name in names}) > 1]
