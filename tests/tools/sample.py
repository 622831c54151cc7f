"""What `make test` runs a sample of, as all of it takes hours; chosen by SEED, which changes from run to run."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence
from functools import partial

import ansible_tests
import scenarios
from steps import Step


def sample(names: Sequence[str], seed: str, size: int) -> list[str]:
    """The names that a seed chooses."""
    return random.Random(seed).sample(sorted(names), min(size, len(names)))


def pythons(versions: Sequence[str], seed: str) -> list[str]:
    """The oldest and the newest of the versions, which ascend, and one between them."""
    return [*versions[:1], *sample(versions[1:-1], seed, 1), *versions[1:][-1:]]


def steps() -> list[Step]:
    """The unit tests on three Pythons, and SAMPLE (1) of the scenarios other than `default`."""
    seed = os.environ.get("SEED") or str(secrets.randbelow(10000))
    others = [name for name in scenarios.names() if name != "default"]
    chosen = sample(others, seed, int(os.environ.get("SAMPLE") or 1))
    print(f"SEED={seed} chose these other scenarios: {', '.join(chosen) or 'none, there are no others'}", flush=True)
    return [
        *ansible_tests.units_steps(pythons(ansible_tests.versions(), seed)),
        *(Step(f"scenario {name}", partial(scenarios.execute, name)) for name in chosen),
    ]
