# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a move can be cut off: generated from the tables of its steps."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import cutover, rollback, steps
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.transaction import Step
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import DOCKER, PODMAN

NOTHING: Any = cast(Any, None)
TABLES: dict[str, tuple[list[Step], list[Step]]] = {
    PODMAN: (cutover.steps(dict, NOTHING, NOTHING, 0), cutover.steps_after(NOTHING, NOTHING, settled=False)),
    DOCKER: (rollback.steps(dict, NOTHING, NOTHING, NOTHING, 0), rollback.steps_after(NOTHING, NOTHING)),
}
# Nothing to do there in what the matrix moves: after the commit its services run already.
IDLE = {"start_services"}
# Where Docker, too, goes away for a while: it cannot start until it is repaired.
DOCKER_GONE = {
    PODMAN: ("before do stop_docker", "after do stop_docker", "after do start_podman", "after do open_ports"),
    DOCKER: ("after do stop_podman", "after do start_docker", "after do open_ports"),
}
# Where a program hangs that the move asks then, and goes on later, when it is undone: all calls of it, or one.
HANGS = {
    PODMAN: (
        ("all podman", "before do start_podman"),
        ("all podman", "before do wait_ready"),
        ("one podman", "before do wait_ready"),
        ("one systemctl", "before do start_podman"),
        ("one systemctl", "before do wait_ready"),
        ("one nft", "before do close_ports"),
        ("one ip", "before do free_addresses"),
    ),
    DOCKER: (
        ("all podman", "before do stop_podman"),
        ("one systemctl", "before do stop_podman"),
        ("one nft", "before do close_ports"),
        ("one ip", "before do put_addresses_back"),
    ),
}
# What is another thing the first time on a host: the journal is made, Podman's first secret and network are.
FIRST_TIME = {"begin", "rehearse", "create_secrets", "start_podman"}


class Case(NamedTuple):
    """A move to ``goal``, cut off at ``point`` by ``end``: the process killed (``before do STEP``, ``after undo STEP``), or the
    power of the machine cut (``written EVENT STEP``, when the journal has it); ``absent`` and ``dark`` are the same with a
    Docker that cannot start until it is repaired; in ``hang HOW PROGRAM`` the move goes on, and its programs hang. ``owner``
    is the engine that has the workload afterwards."""

    goal: str
    end: str
    point: str
    owner: str

    @property
    def fails(self) -> bool:
        """Whether the move has to fail for this point to be reached."""
        return any(word in self.point for word in ("undo", "failed", "rollback"))

    @property
    def is_first(self) -> bool:
        """Whether it is tried on a host's first move, which takes longer."""
        return self.goal == PODMAN and self.point.split()[-1] in FIRST_TIME

    def __str__(self) -> str:
        return f"{self.goal}: {self.end} {self.point}"


def other(engine: str) -> str:
    """The engine that a workload is not on."""
    return DOCKER if engine == PODMAN else PODMAN


def cases() -> list[Case]:
    """All of them."""
    return [case for goal in TABLES for case in _of(goal)]


def _of(goal: str) -> list[Case]:
    before, after = TABLES[goal]
    origin = other(goal)
    acting = [step.name for step in after if step.name not in IDLE]
    points = [(f"{when} do {step.name}", origin) for step in before for when in ("before", "after")]
    points += [(f"{when} do {name}", goal) for name in acting for when in ("before", "after")]
    undone = [step.name for step in before if step.undo is not steps.nothing]
    points += [(f"{when} undo {name}", origin) for name in undone for when in ("before", "after")]
    written = [("begin begin", origin)]
    written += [(f"{event} {step.name}", origin) for step in before for event in ("do", "done")]
    written += [("commit commit", goal)]
    written += [(f"{event} {name}", goal) for name in acting for event in ("do", "done")]
    written += [(f"{event} {name}", origin) for name in undone for event in ("undo", "undone")]
    written += [("failed wait_ready", origin), ("rollback rollback", origin)]
    gone = [(point, owner) for point, owner in points if point in DOCKER_GONE[goal]]
    dark = [(f"done {point.split()[-1]}", owner) for point, owner in gone]
    return [
        *(Case(goal, "kill", point, owner) for point, owner in points),
        *(Case(goal, "power", f"written {point}", owner) for point, owner in written),
        *(Case(goal, "absent", point, owner) for point, owner in gone),
        *(Case(goal, "dark", f"written {point}", owner) for point, owner in dark),
        *(Case(goal, f"hang {how}", point, origin) for how, point in HANGS[goal]),
    ]
