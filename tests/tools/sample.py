"""What `make test` runs a sample of, as all of it takes hours; chosen by SEED, which changes from run to run."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Mapping, Sequence
from functools import partial

import ansible_tests
import scenarios
from steps import Step, run

# Of the scenarios and of the matrix in tests/crash/.
SCENARIOS, CRASH_CASES = 1, 4


def sample(names: Sequence[str], seed: str, size: int) -> list[str]:
    """The names that a seed chooses."""
    return random.Random(seed).sample(sorted(names), min(size, len(names)))


def pythons(versions: Sequence[str], seed: str) -> list[str]:
    """The oldest and the newest of the versions, which ascend, and one between them."""
    return [*versions[:1], *sample(versions[1:-1], seed, 1), *versions[1:][-1:]]


def steps() -> list[Step]:
    """The unit tests on three Pythons, SAMPLE of the scenarios other than `default`, and a few cases of the crash matrix; on the
    kind of machine that is fastest here, unless PODSHIFT_LAB names one."""
    env = {"PODSHIFT_LAB": os.environ.get("PODSHIFT_LAB") or "fastest"}
    seed = os.environ.get("SEED") or str(secrets.randbelow(10000))
    others = [name for name in scenarios.names() if name != "default"]
    chosen = sample(others, seed, int(os.environ.get("SAMPLE") or SCENARIOS))
    print(f"SEED={seed} chose these other scenarios: {', '.join(chosen) or 'none, there are no others'}", flush=True)
    return [
        *ansible_tests.units_steps(pythons(ansible_tests.versions(), seed)),
        *(Step(f"scenario {name}", partial(scenarios.execute, name, env)) for name in chosen),
        Step("crash matrix, a sample", partial(crash, seed, env)),
    ]


def crash(seed: str, env: Mapping[str, str]) -> None:
    """A few cases of the crash matrix, chosen by the seed."""
    argv = ["python", "tests/crash/matrix.py", f"--sample={CRASH_CASES}", f"--seed={seed}"]
    try:
        run(argv, must=scenarios.EXECUTED, env={"PYTHONPATH": ".cache/collections", **env}, timeout=scenarios.TIMEOUT)
    except BaseException:
        if not os.environ.get("KEEP"):
            run(["python", "lab/lab.py", "down", "crash"], timeout=300)
        raise
