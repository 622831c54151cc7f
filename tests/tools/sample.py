"""What `make test` runs a sample of, as all of it takes hours; chosen by SEED, which changes from run to run."""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import ansible_tests
import scenarios
import yaml
from steps import ROOT, SECONDS, Step, run

# Minutes for scenarios, and cases of the matrix in tests/crash/.
BUDGET, CRASH_CASES = 15.0, 4
# The part of the budget that a scenario on an emulated virtual machine may take.
EMULATED_PART = 0.75

Minutes = Mapping[str, Mapping[str, float]]
MINUTES: Minutes = yaml.safe_load(Path(__file__).with_name("minutes.yml").read_text())


class Chosen(NamedTuple):
    """A scenario, the kind of machine it runs on, and the minutes it is expected to take."""

    name: str
    kind: str
    minutes: float


def choose(minutes: Minutes, seed: str, budget: float, kind: str) -> list[Chosen]:
    """The scenarios that a seed chooses within a budget of minutes, on machines of the kind that is fastest here.

    Where that kind has this machine's kernel, the first one that fits runs on a virtual machine with a kernel of its own.
    """
    order = random.Random(seed).sample(sorted(minutes), len(minutes))
    chosen = []
    if kind == "container":
        limit = budget * EMULATED_PART
        chosen = [Chosen(name, "vm", minutes[name].get("emulated", limit + 1)) for name in order]
        chosen = [one for one in chosen if one.minutes <= limit][:1]
    left = budget - sum(one.minutes for one in chosen)
    for name in order:
        if minutes[name]["container"] <= left and name not in [one.name for one in chosen]:
            chosen.append(Chosen(name, kind, minutes[name]["container"]))
            left -= minutes[name]["container"]
    return chosen


def speed(seconds: Mapping[str, float]) -> float:
    """How many times as long as in the table this machine takes, by the scenario `default` when that has run."""
    took = seconds.get("scenario default", 0)
    return took / 60 / MINUTES["default"]["container"] if took else 1.0


def pythons(versions: Sequence[str], seed: str) -> list[str]:
    """The oldest and the newest of the versions, which ascend, and one between them."""
    between = versions[1:-1]
    return [*versions[:1], *random.Random(seed).sample(between, min(1, len(between))), *versions[1:][-1:]]


def steps() -> list[Step]:
    """The unit tests on three Pythons, other scenarios than `default` within SAMPLE minutes, and a few cases of the crash
    matrix."""
    seed = os.environ.get("SEED") or str(secrets.randbelow(10000))
    budget, factor = float(os.environ.get("SAMPLE") or BUDGET), speed(SECONDS)
    kind = fastest()
    others = {name: minutes for name, minutes in MINUTES.items() if name != "default"}
    chosen = choose(others, seed, budget / factor, kind)
    print(
        f"\nSEED={seed} chose these other scenarios within {budget:.0f} minutes (SAMPLE), on a machine that takes {factor:.1f}"
    )
    print("times as long as the table in tests/tools/minutes.yml says:")
    print(
        "".join(f"  {one.name} ({one.kind}): {one.minutes * factor:.1f} minutes\n" for one in chosen) or "  none fits",
        flush=True,
    )
    return [
        *ansible_tests.units_steps(pythons(ansible_tests.versions(), seed)),
        *(
            Step(f"scenario {one.name} ({one.kind})", partial(scenarios.execute, one.name, {"PODSHIFT_LAB": one.kind}))
            for one in chosen
        ),
        Step("crash matrix, a sample", partial(crash, seed, {"PODSHIFT_LAB": kind})),
    ]


def fastest() -> str:
    """The kind of machine that PODSHIFT_LAB names, or else the one that is fastest here; where the lab cannot tell, the steps
    that need it will say why."""
    argv = [sys.executable, "lab/lab.py", "kind"]
    env = {**os.environ, **scenarios.fastest_lab()}
    return (
        subprocess.run(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=False).stdout.strip() or "vm"
    )


def crash(seed: str, env: Mapping[str, str]) -> None:
    """A few cases of the crash matrix, chosen by the seed."""
    argv = ["python", "tests/crash/matrix.py", f"--sample={CRASH_CASES}", f"--seed={seed}"]
    try:
        run(argv, must=scenarios.EXECUTED, env={"PYTHONPATH": ".cache/collections", **env}, timeout=scenarios.TIMEOUT)
    except BaseException:
        if not os.environ.get("KEEP"):
            for host in ("pod", "pair"):
                run(["python", "lab/lab.py", "down", f"crash-{host}"], timeout=300)
        raise
