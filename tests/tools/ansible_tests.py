"""ansible-test, which wants a physical path of its own, a bootstrap script from the network, and a close watch."""

from __future__ import annotations

import ast
import configparser
import glob
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import ansible_test
import tree
from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS, REMOTE_ONLY_PYTHON_VERSIONS
from steps import CACHE, Failed, Step, run

CONTROLLER = f"{sys.version_info.major}.{sys.version_info.minor}"

# ansible-test's own environments live here, and nothing of it in the user's home.
HOME = CACHE / "ansible-test"

# ansible-test fetches pip's installer for its environments. Python brings a pip of its own, which fetches the wanted
# one from wherever this machine takes its packages.
GET_PIP = """\
import subprocess, sys
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
for command in (["ensurepip"], ["pip", "install"] + wanted):
    subprocess.check_call([sys.executable, "-m"] + command, stdout=subprocess.DEVNULL)
"""

# What ansible-test says, with exit code 0, when it did nothing.
LEFT_OUT = (r"All targets skipped.*", r"No tests found for detected changes.*")


@cache
def pythons() -> dict[str, str]:
    """Version -> folder of the interpreter, for each version that this ansible-core supports and this machine has."""
    folders = os.environ["PATH"].split(":") + sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin")))
    supported = (*REMOTE_ONLY_PYTHON_VERSIONS, *CONTROLLER_PYTHON_VERSIONS)
    found = {}
    for version in supported:
        for folder in folders:
            # A version manager's stand-in is there also for versions that it cannot start.
            if _answers(Path(folder) / f"python{version}"):
                found[version] = folder
                break
    return found


def _answers(python: Path) -> bool:
    command = [str(python), "-c", "import ensurepip, venv"]
    return os.access(python, os.X_OK) and not subprocess.run(command, check=False, capture_output=True).returncode


def prepare_home() -> None:
    """Give ansible-test's clean environment this machine's pip settings and the installer's stand-in."""
    constants = Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text()
    version = constants.split("pip='", 1)[1].split("'", 1)[0].replace(".", "_")
    installer = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version}.py"
    installer.parent.mkdir(parents=True, exist_ok=True)
    installer.write_text(GET_PIP)
    settings = HOME / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    with settings.open("w") as sink:
        pip_settings(listing).write(sink)


def pip_settings(listing: str) -> configparser.RawConfigParser:
    """The configuration file that says what `pip config list` does, variables of the environment included."""
    settings = configparser.RawConfigParser()
    settings.read_dict({"global": {}})
    for line in listing.splitlines():
        name, value = line.split("=", 1)
        section, key = name.rsplit(".", 1)
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, key, ast.literal_eval(value))
    settings.set("global", "quiet", "2")
    return settings


def execute(command: str, version: str, must: str, *options: str) -> None:
    """Run one command of ansible-test for one Python on a fresh copy of the working tree, or raise Failed."""
    if version not in pythons():
        raise Failed(f"no Python {version} with the venv module was found")
    prepare_home()
    with tempfile.TemporaryDirectory(prefix="ansible-test-") as parent:
        root = Path(parent, "ansible_collections", "podshift", "docker_to_podman")
        tree.copy_to(root)
        run(
            ["ansible-test", command, "--color", "no", "--venv", "--python", version, *options],
            must=must,
            never=LEFT_OUT,
            cwd=root,
            env={
                "HOME": str(HOME),
                "PATH": ":".join([os.path.dirname(sys.executable), *pythons().values(), os.environ["PATH"]]),
            },
        )


def sanity_steps() -> list[Step]:
    """All tests with the controller's Python; compile and import with every other one."""
    executed = r"Running sanity test"
    others = [version for version in pythons() if version != CONTROLLER]
    return [
        Step(f"ansible-test sanity, Python {CONTROLLER}", partial(execute, "sanity", CONTROLLER, executed)),
        *(
            Step(
                f"ansible-test sanity, Python {version}: compile, import",
                partial(execute, "sanity", version, executed, "--test", "compile", "--test", "import"),
            )
            for version in others
        ),
    ]


def versions() -> list[str]:
    """The Pythons that the unit tests can run on, ascending."""
    return list(pythons()) or [CONTROLLER]


def units_steps(chosen: Sequence[str]) -> list[Step]:
    """The unit tests on these Pythons."""
    executed = r"\b[1-9]\d* passed"
    return [
        Step(f"ansible-test units, Python {version}", partial(execute, "units", version, executed))
        for version in chosen
    ]
