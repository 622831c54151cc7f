# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cut a move off at every point, by killing its process and by cutting the machine's power, and have the host fail it in other
ways; see what the host makes of it by itself; then move again.

usage: matrix.py [--sample COUNT] [--seed SEED] [--faults] [--from COMMIT] [--write SECONDS] [WORD...]; cases that contain all
words. What passed with the same files on a machine of the same kind is not repeated, unless it is a sample. --from kills the
program of an earlier commit, and recovers with this one. --write cuts nothing off: it moves to Podman, lets the client write
for so long, and moves back twice; then all of it again with a tenth of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import station
from cases import Case, cases, other
from faults import FAULTS, Fault
from station import Station, digest
from workloads import HOSTS, expected
from writer import Writer, kept

ROOT = Path(__file__).resolve().parents[2]
# For each kind of machine that was asked for.
KNOWN = ROOT / ".cache" / f"crash-{os.environ.get('PODSHIFT_LAB') or 'vm'}.json"

# Seconds: as long as a client may have to try again.
ANSWERING = 5.0


class Wrong(Exception):
    """What is not as it has to be."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", default="")
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--from", dest="origin", default="", metavar="COMMIT")
    parser.add_argument("--write", type=float, default=0)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    chosen = [case for case in cases() if all(word in str(case) for word in given.words)]
    if given.origin:
        # A power cut leaves no moment in which the program could be exchanged.
        chosen = [case for case in chosen if case.end == "kill" and case.host == "pod"]
    if given.sample:
        seed = given.seed or str(secrets.randbelow(10000))
        print(f"SEED={seed}", flush=True)
        chosen = random.Random(seed).sample(chosen, min(given.sample, len(chosen)))
    if given.write:
        with station_of("pod") as machine:
            return keep_writing(machine, given.write)
    if given.faults:
        return find_faults([fault for fault in FAULTS if all(word in fault.what for word in given.words)])
    if given.origin:
        return take_over(chosen, station.program_of(ROOT, given.origin))
    return run(Results(KNOWN, chosen, again=bool(given.sample)))


def station_of(host: str) -> Station:
    """The machine of a kind of host."""
    return Station(ROOT, f"crash-{host}", HOSTS[host])


def run(results: Results) -> int:
    """Run the cases that are left; the exit code."""
    for host in HOSTS:
        left = [case for case in results.left() if case.host == host]
        if left:
            with station_of(host) as machine:
                machine.save_starts(left)
                work_off(left, machine, results)
    failed = len(results.left())
    print(f"{len(results.chosen) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def work_off(left: list[Case], machine: Station, results: Results) -> None:
    """Try each case once, if possible one that begins where the one before has left the machine."""
    while left:
        case = next((case for case in left if start_of(case) == machine.state), left[0])
        left.remove(case)
        began = time.monotonic()
        results.note(case, attempt(machine, case), time.monotonic() - began)


def start_of(case: Case) -> str:
    """The state of the machine that a case begins with."""
    return station.FIRST if case.is_first else case.goal


class Results:
    """Which cases passed with the files as they are, kept in a file, so that a run can be continued; or all ``again``."""

    def __init__(self, path: Path, chosen: list[Case], again: bool) -> None:
        self._path = path
        self.chosen = chosen
        self._state = digest(ROOT)
        found = json.loads(path.read_text()) if path.exists() else {}
        self._known: set[str] = set(found["passed"]) if found.get("state") == self._state else set()
        self._passed: set[str] = set() if again else set(self._known)

    def left(self) -> list[Case]:
        """The cases that have not passed."""
        return [case for case in self.chosen if str(case) not in self._passed]

    def note(self, case: Case, wrong: str, seconds: float) -> None:
        """Print how a case went, and remember it when nothing is ``wrong``."""
        if not wrong:
            self._passed.add(str(case))
            self._known.add(str(case))
            found = {"state": self._state, "passed": sorted(self._known)}
            self._path.write_text(json.dumps(found, indent=1) + "\n")
        number = self.chosen.index(case) + 1
        print(f"{number}/{len(self.chosen)} {case}: {wrong or 'ok'} ({seconds:.0f} s)", flush=True)


def find_faults(faults: list[Fault]) -> int:
    """Run the case of each fault with the fault; the exit code."""
    by_name = {str(case): case for case in cases() if case.host == "pod"}
    missed = 0
    with station_of("pod") as machine:
        machine.save_starts([by_name[fault.case] for fault in faults])
        for fault in faults:
            machine.install(fault)
            # Not where a fault that was not caught has left its traces.
            machine.state = ""
            wrong = attempt(machine, by_name[fault.case])
            missed += not wrong
            verdict = f"caught by {fault.case}: {wrong}" if wrong else "NOT CAUGHT"
            print(f"fault: {fault.what}: {verdict}", flush=True)
    print(f"{len(faults) - missed} faults caught, {missed} missed", flush=True)
    return 1 if missed else 0


def take_over(chosen: list[Case], origin: bytes) -> int:
    """Run the cases with the program ``origin``, and recover with this one; the exit code."""
    failed = 0
    with station_of("pod") as machine:
        machine.save_starts(chosen)
        for number, case in enumerate(chosen, 1):
            wrong = attempt(machine, case, origin)
            failed += bool(wrong)
            print(f"{number}/{len(chosen)} {case}: {wrong or 'ok'}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def keep_writing(machine: Station, seconds: float) -> int:
    """Move to Podman and back, and back once more, with so much time of writing on Podman; then again; the exit code."""
    machine.begin(station.FIRST)
    with Writer(machine.port) as writer:
        for turn, pause in ((1, seconds), (2, seconds / 10)):
            try:
                move_again(machine, "podman", writer)
                before = len(writer.acknowledged)
                time.sleep(pause)
                move_again(machine, "docker", writer)
                written = len(writer.acknowledged) - before
                move_again(machine, "docker", writer)
            except (Wrong, station.Broken) as error:
                print(f"turn {turn}: {error}", flush=True)
                return 1
            print(f"turn {turn}: {written} records in {pause:.0f} s on Podman, none is lost", flush=True)
    return 0


def attempt(machine: Station, case: Case, origin: bytes = b"") -> str:
    """What is wrong after the case, which strikes the program ``origin`` when there is one; "" when nothing is."""
    try:
        machine.begin(start_of(case))
        # Other numbers than those that an earlier case may have left there.
        with Writer(machine.port, first=round(time.monotonic() * 1000)) as writer:
            seen = machine.trouble_elsewhere(case, origin) if origin else machine.trouble(case)
            require(machine, seen, {case.workload: case.owner or seen["owners"][case.workload]}, writer)
            move_again(machine, case.goal, writer)
        machine.state = other(case.goal)
    except (Wrong, station.Broken) as error:
        return str(error)
    return ""


def move_again(machine: Station, goal: str, writer: Writer) -> None:
    """Move once more, cut off by nothing; Wrong unless all is there afterwards."""
    require(machine, machine.move_again(goal), dict.fromkeys(machine.host.workloads, goal), writer)


def require(machine: Station, seen: dict[str, Any], owners: dict[str, str], writer: Writer) -> None:
    """Wrong unless each workload is whole, on one engine alone, these on theirs, with every record that was acknowledged."""
    for key, value in expected(machine.host, {**seen["owners"], **owners}).items():
        if seen[key] != value:
            raise Wrong(f"{key} is {seen[key]!r} instead of {value!r} ({json.dumps(seen)})")
    told = list(writer.acknowledged)
    found = set(answer(writer.port))
    lost = sorted(set(told) - found)
    if lost:
        raise Wrong(f"{len(lost)} of {len(told)} acknowledged records are lost, first the {told.index(lost[0]) + 1}th")
    if not told:
        raise Wrong("nothing was ever acknowledged")


def answer(port: int) -> list[int]:
    """What the service has kept; Wrong when it does not answer: it may have been started just now."""
    until = time.monotonic() + ANSWERING
    while True:
        try:
            return kept(port)
        except OSError as error:
            if time.monotonic() > until:
                raise Wrong(f"the service does not answer: {error}") from None
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
