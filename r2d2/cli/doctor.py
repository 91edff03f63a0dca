"""`r2d2 doctor`: looks at interpreter, libraries, Java, Spark, jars and file systems."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from r2d2 import __version__
from r2d2.cli import Json
from r2d2.cli.terminal import print_json, print_lines
from r2d2.engines.spark.session import coordinates
from r2d2.errors import EXIT_FAILED, EXIT_OK
from r2d2.extras import DISTRIBUTION, PACKAGES, install

JAVA_VERSIONS = (17, 21)

# The names that the metadata declare, for r2d2 that runs from an archive and has none.
CORE = ("pyarrow", "numpy", "xxhash", "fastavro", "cyclopts", "rich", "msgspec")
DEVELOPERS = "test"
DEVELOPERS_EXTRAS = ("docs", DEVELOPERS)
COLLECTIONS = ("all", DEVELOPERS)  # these extras repeat what others have
PURPOSES = {
    "obstore": "object stores: s3, gs, abfss",
    "boto3": "deletions in buckets",
    "fastavro": "Avro",
    "pyspark": "--engine spark",
    "delta-spark": "Delta through Spark",
    "deltalake": "writing Delta tables back",
}

_REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:\[[^]]*\])?\s*\(?([^;)]*)\)?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")
_CONDITION = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([\w.]+?)(\.\*)?\s*")


def doctor(*, json: Json = False) -> int:
    """Check what works here: Java, Spark, jars, file systems; and what to install."""
    findings = check_up()
    if json:
        print_json([finding.data() for finding in findings])
    else:
        print_lines(finding.line() for finding in findings)
    return (
        EXIT_OK if all(finding.works or finding.optional for finding in findings) else EXIT_FAILED
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` says what to do where it does not work."""

    name: str
    works: bool
    found: str
    remedy: str = ""
    optional: bool = False

    def line(self) -> str:
        """The finding as a line of text."""
        mark = "ok     " if self.works else "missing" if self.optional else "FAILED "
        return f"{mark}  {self.name}: {self.found}" + (f" → {self.remedy}" if self.remedy else "")

    def data(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package that r2d2 declares, and the extra that it belongs to; the core has none."""

    name: str
    specifier: str = ""
    extra: str = ""

    @staticmethod
    def parse(text: str) -> "Requirement":
        """A line of the metadata, such as `pyspark<4.3,>=4.0.1; extra == 'spark'`."""
        declared, _, marker = text.partition(";")
        match, extra = _REQUIREMENT.match(declared), _EXTRA.search(marker)
        name, specifier = (match[1], match[2].strip()) if match else (declared.strip(), "")
        return Requirement(name, specifier, extra[1] if extra else "")

    def admits(self, version: str) -> bool:
        """Whether a version is within the specifier; a pre-release counts as its release.

        >>> [Requirement("numpy", "<3,>=2.2").admits(version) for version in ("2.10", "3.0")]
        [True, False]
        """
        return all(_holds(_release(version), each) for each in self.specifier.split(",") if each)

    def shortcoming(self) -> str:
        """The fault of the installed version; empty where it has none."""
        version = _version(self.name)
        if version is None:
            return "not installed"
        return "" if self.admits(version) else f"{version}, but {self.specifier} is needed"


def check_up() -> list[Finding]:
    """Everything r2d2 needs or can use, looked at."""
    declared = _declared()
    return [
        Finding("python", True, platform.python_version()),
        Finding(
            DISTRIBUTION,
            True,
            __version__ if declared else f"{__version__}, not installed: versions are not checked",
        ),
        *packages(declared or _known_names()),
        _java(),
        *_jars(_version("pyspark"), _version("delta-spark")),
        *_stores(),
    ]


def packages(requirements: Iterable[Requirement]) -> Iterator[Finding]:
    """A finding for each package, the developers' in one."""
    tools = []
    for requirement in requirements:
        if requirement.extra in DEVELOPERS_EXTRAS:
            tools.append(requirement)
        else:
            yield _package(requirement)
    if tools:
        wrong = [f"{tool.name} {short}" for tool in tools if (short := tool.shortcoming())]
        yield Finding(
            f"developers' tools (extra {DEVELOPERS})",
            not wrong,
            "; ".join(wrong) or f"all {len(tools)}",
            install(DEVELOPERS) if wrong else "",
            optional=True,
        )


def _declared() -> tuple[Requirement, ...]:
    """The installed distribution's requirements, each name once; none where it has no metadata."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return ()
    found: dict[str, Requirement] = {}
    parsed = map(Requirement.parse, lines)
    for requirement in sorted(parsed, key=lambda each: (each.extra in COLLECTIONS, each.extra)):
        if requirement.name != DISTRIBUTION:
            found.setdefault(requirement.name, requirement)
    return tuple(found.values())


def _known_names() -> tuple[Requirement, ...]:
    extras = (Requirement(name, "", extra) for extra, own in PACKAGES.items() for name in own)
    return (*map(Requirement, CORE), *extras)


def _package(requirement: Requirement) -> Finding:
    about = [PURPOSES[requirement.name]] if requirement.name in PURPOSES else []
    about += [f"extra {requirement.extra}"] if requirement.extra else []
    wrong = requirement.shortcoming()
    remedy = install(requirement.extra, requirement.name)
    return Finding(
        f"{requirement.name} ({'; '.join(about)})" if about else requirement.name,
        not wrong,
        wrong or _version(requirement.name) or "",
        remedy if wrong else "",
        optional=bool(requirement.extra),
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, without zeros at its end: 2.10.0rc1 is (2, 10)."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    numbers = [int(part) for part in match[1].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _holds(version: tuple[int, ...], condition: str) -> bool:
    match = _CONDITION.fullmatch(condition)
    if match is None:  # an operator that r2d2 does not declare: pip has judged it
        return True
    operator, bound = match[1], _release(match[2])
    if match[3]:
        length = match[2].count(".") + 1
        padded = (*version, *(0,) * length)[:length]
        same = padded == (*bound, *(0,) * length)[:length]
    else:
        same = version == bound
    outcomes = {
        "==": same,
        "!=": not same,
        ">=": version >= bound,
        "<=": version <= bound,
        ">": version > bound,
        "<": version < bound,
    }
    return outcomes[operator]


def _jars(spark: str | None, delta: str | None) -> Iterator[Finding]:
    for name, coordinate in coordinates(spark, delta).items() if spark else ():
        file = "-".join(coordinate.split(":")[1:]) + ".jar"
        jars = [path.name for folder in _jar_folders() for path in folder.glob(f"*{name}*.jar")]
        fitting = [jar for jar in jars if coordinate and jar.endswith(file)]
        other = f"{jars[0]}, which is not for pyspark {spark}" if jars else "not found"
        none = f"no release is for pyspark {spark}" + (
            f" and delta-spark {delta}" if name == "delta-spark" else ""
        )
        remedy = f"give spark-submit --packages {coordinate}" if coordinate else none
        yield Finding(
            f"jar {name}",
            bool(fitting),
            fitting[0] if fitting else other,
            "" if fitting else remedy,
            optional=True,
        )


def _java() -> Finding:
    remedy = f"install a JDK {' or '.join(map(str, JAVA_VERSIONS))} for --engine spark"
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        return Finding("java", False, "not on the PATH", remedy, optional=True)
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("java", False, str(error), remedy, optional=True)
    version = re.search(r'version "(\d+)', done.stderr)
    if version is None:
        return Finding("java", False, f"{java} does not start", remedy, optional=True)
    works = int(version.group(1)) in JAVA_VERSIONS
    return Finding("java", works, version.group(1), "" if works else remedy, optional=True)


def _jar_folders() -> list[Path]:
    folders = [Path.home() / ".ivy2.5.2" / "jars", Path.home() / ".ivy2" / "jars"]
    if os.environ.get("SPARK_HOME"):
        folders.append(Path(os.environ["SPARK_HOME"]) / "jars")
    spec = importlib.util.find_spec("pyspark")
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent / "jars")
    return folders


def _stores() -> Iterator[Finding]:
    yield Finding("local files", True, "always")
    for scheme, names in (
        ("s3://", ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN")),
        ("gs://", ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT")),
        ("abfss://", ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")),
    ):
        given = [name for name in names if os.environ.get(name)]
        yield Finding(
            scheme,
            bool(given),
            f"credentials in {given[0]}" if given else "no credentials in the environment",
            "" if given else f"set one of {', '.join(names)}, or use the machine's own identity",
            optional=True,
        )
