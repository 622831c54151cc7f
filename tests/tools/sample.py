"""What `make test` runs a sample of, as all of it takes hours; chosen by SEED, which changes from run to run."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence
from functools import partial

import ansible_tests
import scenarios
from steps import Step, run

# Of the matrix in tests/crash/, which takes hours.
CRASH_CASES = 2


def sample(names: Sequence[str], seed: str, size: int) -> list[str]:
    """The names that a seed chooses."""
    return random.Random(seed).sample(sorted(names), min(size, len(names)))


def pythons(versions: Sequence[str], seed: str) -> list[str]:
    """The oldest and the newest of the versions, which ascend, and one between them."""
    return [*versions[:1], *sample(versions[1:-1], seed, 1), *versions[1:][-1:]]


def steps() -> list[Step]:
    """The unit tests on three Pythons, SAMPLE (1) of the scenarios other than `default`, and a few cases of the crash matrix."""
    seed = os.environ.get("SEED") or str(secrets.randbelow(10000))
    others = [name for name in scenarios.names() if name != "default"]
    chosen = sample(others, seed, int(os.environ.get("SAMPLE") or 1))
    print(f"SEED={seed} chose these other scenarios: {', '.join(chosen) or 'none, there are no others'}", flush=True)
    return [
        *ansible_tests.units_steps(pythons(ansible_tests.versions(), seed)),
        *(Step(f"scenario {name}", partial(scenarios.execute, name)) for name in chosen),
        Step("crash matrix, a sample", partial(crash, seed)),
    ]


def crash(seed: str) -> None:
    """A few cases of the crash matrix, chosen by the seed."""
    argv = ["python", "tests/crash/matrix.py", f"--sample={CRASH_CASES}", f"--seed={seed}"]
    try:
        run(argv, must=scenarios.EXECUTED, env={"PYTHONPATH": ".cache/collections"}, timeout=scenarios.TIMEOUT)
    except BaseException:
        run(["python", "molecule/lab/lab.py", "down", "crash"], timeout=300)
        raise
