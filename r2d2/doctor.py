"""What works on this machine: interpreter, libraries, Java, Spark, jars, file systems."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CORE = ("pyarrow", "numpy", "polars", "polars-hash", "xxhash", "cyclopts", "rich")
JAVA_VERSIONS = (17, 21)


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


def check_up() -> list[Finding]:
    """Everything r2d2 needs or can use, looked at."""
    return [
        Finding("python", True, platform.python_version()),
        *map(_package, CORE),
        _optional("deltalake", "comes with r2d2; reinstall it"),
        _optional("obstore", "comes with r2d2; reinstall it", "object stores: s3, gs, abfss"),
        *_spark(),
        *_stores(),
    ]


def _package(name: str) -> Finding:
    version = _version(name)
    remedy = "" if version else f"pip install {name}"
    return Finding(name, version is not None, version or "not installed", remedy)


def _optional(name: str, remedy: str, what: str = "") -> Finding:
    version = _version(name)
    label = f"{name} ({what})" if what else name
    found = version or "not installed"
    return Finding(label, version is not None, found, "" if version else remedy, optional=True)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _spark() -> Iterator[Finding]:
    yield _java()
    yield _optional("pyspark", "pip install 'r2d2-lake[spark]'", "for --engine spark")
    yield _optional("delta-spark", "pip install 'r2d2-lake[spark]'", "Delta through Spark")
    for pattern, coordinate in (
        ("delta-spark_*.jar", "io.delta:delta-spark_4.2_2.13:4.4.0"),
        ("spark-avro_*.jar", "org.apache.spark:spark-avro_2.13:4.1.1"),
        ("iceberg-spark-runtime*.jar", "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13"),
        ("hadoop-aws*.jar", "org.apache.hadoop:hadoop-aws (not needed: executors read natively)"),
    ):
        jars = [path.name for folder in _jar_folders() for path in folder.glob(pattern)]
        yield Finding(
            f"jar {pattern.partition('*')[0].rstrip('_')}",
            bool(jars),
            jars[0] if jars else "not found",
            "" if jars else f"spark-submit --packages {coordinate}",
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
