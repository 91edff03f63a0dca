"""Runs the Dockerfile's steps in a chroot, where there is no Docker: for tests of the images.

    python -m tools.image TARGET --base ROOT --work DIR [ARGUMENT…]

ROOT is a folder with a Debian of the image's release that has python3 and venv, as debootstrap
makes it; it stays as it is. Each stage gets a copy of its base below DIR; the target's entry point
is then called there with the arguments, as the image's user; it finds the sample lake as `/lake`.
How packages are fetched (apt's sources, pip's settings) is this machine's own. Needs root.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

FETCHING = ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE", "http_proxy", "https_proxy")
FETCHING_FILES = (
    "etc/apt/sources.list.d",
    "etc/hosts",
    "etc/pip.conf",
    "etc/resolv.conf",
    "etc/ssl/certs/ca-certificates.crt",
    "usr/share/keyrings",
)
"""What says how packages are fetched from this machine: variables and files."""


@dataclass(slots=True)
class Stage:
    """A stage while it is made: its root, and what its instructions have set so far."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"
    entry_point: list[str] = field(default_factory=list)

    def call(self, words: Sequence[str]) -> int:
        """The exit code of a command that is run as the stage's user in its folder."""
        settings = {name: os.environ[name] for name in FETCHING if name in os.environ}
        home = f"/home/{self.user}" if self.user != "root" else "/root"
        variables = {"PATH": PATH, "HOME": home, **settings, **self.variables}
        script = f"cd {shlex.quote(self.folder)} && exec {shlex.join(words)}"
        assigned = [f"{name}={value}" for name, value in variables.items()]
        chroot = ["chroot", f"--userspec={self.user}", str(self.root)]
        # A file system of processes of its own, gone with the command.
        inside = shlex.join([*chroot, "/usr/bin/env", "-i", *assigned, "sh", "-c", script])
        mounted = f"mount -t proc proc {shlex.quote(str(self.root / 'proc'))}; exec {inside}"
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-c", mounted], check=False
        ).returncode


def main(arguments: Sequence[str]) -> int:
    """Builds the target and calls it; its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    given, called = parser.parse_known_args(arguments)
    stages = build((REPOSITORY / "Dockerfile").read_text("utf-8"), given.base, given.work)
    for name, stage in stages:
        if name == given.target:
            copy(REPOSITORY / "sample_lake", stage.root / "lake")
            return stage.call([*stage.entry_point, *called])
    raise SystemExit(f"no stage is called {given.target}")


def build(dockerfile: str, base: Path, work: Path) -> Iterator[tuple[str, Stage]]:
    """Each stage with its name, once it is made."""
    stages: dict[str, Stage] = {}
    name = ""
    for word, rest in instructions(dockerfile):
        if word == "FROM":
            if name:
                yield name, stages[name]
            image, _, name = rest.split()
            stages[name] = started(work / name, stages.get(image), base)
        else:
            follow(stages[name], word, rest, stages)
    yield name, stages[name]


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """The instructions in order: their word, and the rest with its lines joined."""
    lines = [line for line in dockerfile.splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        word, _, rest = line.partition(" ")
        if word:
            yield word, rest.strip()


def started(root: Path, parent: Stage | None, base: Path) -> Stage:
    """A stage as its parent left it, or with the base alone."""
    root.parent.mkdir(parents=True, exist_ok=True)
    copied = ["cp", "-a", "--reflink=auto", str(parent.root if parent else base), str(root)]
    subprocess.run(copied, check=True)
    if parent:
        return Stage(root, dict(parent.variables), parent.folder, "root", list(parent.entry_point))
    for name in FETCHING_FILES:
        copy(Path("/") / name, root / name)
    return Stage(root)


def follow(stage: Stage, word: str, rest: str, stages: dict[str, Stage]) -> None:
    """Does what one instruction says."""
    match word:
        case "RUN":
            if stage.call(["sh", "-ec", rest]):
                raise SystemExit(f"failed: {rest}")
        case "COPY":
            words = rest.split()
            other = stages[words.pop(0).partition("=")[2]].root if words[0][0] == "-" else None
            for source in words[:-1]:
                place = stage.root / stage.folder.lstrip("/") / words[-1].lstrip("/")
                one = (other / source.lstrip("/")) if other else REPOSITORY / source
                copy(one, place / source if words[-1] == "./" else place)
        case "WORKDIR":
            stage.folder = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "ENV":
            stage.variables |= dict(pair.split("=", 1) for pair in rest.split())
        case "USER":
            stage.user = rest
        case "ENTRYPOINT":
            stage.entry_point = rest.strip('[]"').split('", "')
        case _:
            raise SystemExit(f"the instruction {word} is not known here")


def copy(source: Path, place: Path) -> None:
    """Copies a file or a folder, if it is there, over what is in its place."""
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
    elif source.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
