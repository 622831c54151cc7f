"""Molecule's scenarios: one after the other, resumable, and never silently empty."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import tree
from steps import CACHE, ROOT, Failed, Skipped, Step, run

# Emulated machines are slow; a scenario that needs longer than this hangs.
TIMEOUT = 5400.0

# A test that passed, in pytest's closing line.
EXECUTED = r"\b[1-9]\d* passed"

# Molecule says these and exits with 0: an action without its playbook, a verifier that is off or has no tests, and a
# copy of the collection in the user's home that runs in place of this tree (molecule's `prerun` makes one).
LEFT_OUT = (
    r"\S+ > \S+: Executed: .*[Mm]issing.*",
    r"Skipping, no tests found.*",
    r"\b(missing|disabled)=[1-9].*",
    r"Another version of 'podshift.*",
)


def names() -> list[str]:
    """All scenarios, sorted."""
    return sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def execute(name: str, env: Mapping[str, str] | None = None) -> None:
    """Run one scenario from create to destroy, or raise Failed."""
    if name not in names():
        raise Failed(f"there is no molecule/{name}/molecule.yml; there are: {', '.join(names()) or 'none'}")
    keep = bool(os.environ.get("KEEP"))
    try:
        run(
            ["molecule", "test", "--scenario-name", name, "--destroy", "never" if keep else "always"],
            must=EXECUTED,
            never=LEFT_OUT,
            env=env,
            timeout=TIMEOUT,
        )
    except BaseException:
        if not keep:
            run(["molecule", "destroy", "--scenario-name", name], timeout=300)
        raise


def resume(name: str, stamps: Path = CACHE / "scenarios") -> None:
    """Run one scenario unless it passed with the very same files, on machines of the same kind."""
    state = f"{tree.digest(tree.files())} {os.environ.get('PODSHIFT_LAB') or 'vm'}"
    stamp = stamps / name
    if not os.environ.get("FRESH") and stamp.is_file() and stamp.read_text() == state:
        raise Skipped("passed before with the same files (FRESH=1 repeats it)")
    execute(name)
    stamps.mkdir(parents=True, exist_ok=True)
    stamp.write_text(state)


def all_steps() -> list[Step]:
    """SCENARIO, or else every scenario."""
    chosen = os.environ.get("SCENARIO", "").split() or names()
    return [Step(f"scenario {name}", partial(resume, name)) for name in chosen]


def default_steps() -> list[Step]:
    """The scenario `default`."""
    return [Step("scenario default", partial(execute, "default", fastest_lab()))]


def fastest_lab() -> dict[str, str]:
    """The environment in which the lab takes the fastest kind of machine, unless PODSHIFT_LAB names one."""
    return {"PODSHIFT_LAB": os.environ.get("PODSHIFT_LAB") or "fastest"}
