# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut a move off at every point, by killing its process and by cutting the machine's power, and see what the host makes
of it by itself; then move again.

usage: matrix.py [--sample COUNT] [--seed SEED] [--faults] [--write SECONDS] [WORD...]; cases that contain all words. What
passed with the same files is not repeated. --write cuts nothing off: it moves to Podman, lets the client write for so long,
and moves back, twice.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import time
from pathlib import Path

import station
from cases import Case, cases
from faults import FAULTS
from station import Station
from writer import Writer, kept

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / ".cache" / "crash.json"


class Wrong(Exception):
    """What is not as it has to be."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", default="")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--write", type=float, default=0)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    chosen = [case for case in cases() if all(word in str(case) for word in given.words)]
    if given.sample:
        seed = given.seed or str(secrets.randbelow(10000))
        print(f"SEED={seed}", flush=True)
        chosen = random.Random(seed).sample(chosen, min(given.sample, len(chosen)))
    with Station(ROOT) as machine:
        if given.write:
            return keep_writing(machine, given.write)
        machine.prepare_return()
        return find_faults(machine, given.words) if given.faults else run(machine, chosen)


def run(machine: Station, chosen: list[Case]) -> int:
    """Run the cases; the exit code."""
    state = machine.digest
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results = results if results.get("state") == state else {"state": state, "passed": []}
    failed = 0
    machine.install(None)
    for number, case in enumerate(chosen, 1):
        if str(case) in results["passed"]:
            continue
        began = time.monotonic()
        wrong = attempt(machine, case)
        failed += bool(wrong)
        print(f"{number}/{len(chosen)} {case}: {wrong or 'ok'} ({time.monotonic() - began:.0f} s)", flush=True)
        if not wrong:
            results["passed"].append(str(case))
            RESULTS.write_text(json.dumps(results))
    print(f"{len([case for case in chosen if str(case) in results['passed']])} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def find_faults(machine: Station, words: list[str]) -> int:
    """Run the case of each fault with the fault; the exit code."""
    by_name = {str(case): case for case in cases()}
    missed = 0
    for fault in (item for item in FAULTS if all(word in item.what for word in words)):
        machine.install(fault)
        wrong = attempt(machine, by_name[fault.case])
        missed += not wrong
        print(f"fault: {fault.what}: {'caught by ' + fault.case + ': ' + wrong if wrong else 'NOT CAUGHT'}", flush=True)
    print(f"{len(FAULTS) - missed} faults caught, {missed} missed", flush=True)
    return 1 if missed else 0


def keep_writing(machine: Station, seconds: float) -> int:
    """Move to Podman and back, twice, with so much time of writing on Podman; the exit code."""
    machine.begin("podman")
    with Writer(machine.port) as writer:
        for turn in (1, 2):
            machine.move_again("podman")
            before = len(writer.acknowledged)
            time.sleep(seconds)
            machine.move_again("docker")
            try:
                require(machine, "docker", writer.acknowledged)
            except Wrong as error:
                print(f"turn {turn}: {error}", flush=True)
                return 1
            written = len(writer.acknowledged) - before
            print(f"turn {turn}: {written} records in {seconds:.0f} s on Podman, none is lost", flush=True)
    return 0


def attempt(machine: Station, case: Case) -> str:
    """What is wrong after the case; "" when nothing is."""
    try:
        machine.begin(case.goal)
        with Writer(machine.port) as writer:
            machine.move(case)
            machine.wait_settled(case)
            require(machine, case.owner, writer.acknowledged)
            machine.move_again(case.goal)
            require(machine, case.goal, writer.acknowledged)
    except (Wrong, station.Broken) as error:
        return str(error)
    return ""


def require(machine: Station, owner: str, acknowledged: list[int]) -> None:
    """Wrong unless the workload is whole, on this engine alone, with every record that was acknowledged."""
    seen = machine.look()
    for key, value in station.expected(owner).items():
        if seen[key] != value:
            raise Wrong(f"{key} is {seen[key]!r} instead of {value!r} ({json.dumps(seen)})")
    told = list(acknowledged)
    try:
        found = set(kept(machine.port))
    except OSError as error:
        raise Wrong(f"the service does not answer: {error}") from None
    lost = sorted(set(told) - found)
    if lost:
        raise Wrong(f"{len(lost)} of {len(told)} acknowledged records are lost, the first is {lost[0]}")
    if not told:
        raise Wrong("nothing was ever acknowledged")


if __name__ == "__main__":
    sys.exit(main())
