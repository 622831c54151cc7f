# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a move can be cut off or troubled: generated from the tables of its steps."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Tuple, cast

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
# Ends of cases, with the points where each of them strikes.
Points = Dict[Tuple[str, ...], Tuple[str, ...]]
# The host fails a move, which goes on.
TROUBLED: dict[str, Points] = {
    PODMAN: {
        # A program hangs that the move asks then, and goes on later, when it is undone: all calls of it, or one.
        ("hang all podman",): ("before do start_podman", "before do wait_ready"),
        ("hang one podman",): ("before do wait_ready",),
        ("hang one systemctl",): ("before do start_podman", "before do wait_ready"),
        ("hang one nft",): ("before do close_ports",),
        ("hang one ip",): ("before do free_addresses",),
        # It fails: once, or until the program has ended.
        ("fail one nft", "fail all nft"): ("before do close_ports", "before do start_podman", "before do open_ports"),
        ("fail one iptables", "fail all iptables"): ("before do open_forward", "before do coexist"),
        ("fail one daemon-reload", "fail all daemon-reload"): (
            "before do install_units",
            "before do enable_units",
        ),
        ("killed podman",): ("before do create_secrets", "before do start_podman", "before do wait_ready"),
        ("killed conmon",): ("after do start_podman", "after do wait_ready", "after do open_ports"),
        ("killed dockerd", "slow dockerd"): (
            "before do hold_restarts",
            "before do stop_docker",
            "after do stop_docker",
            "after do free_addresses",
            "after do start_podman",
        ),
        ("restarted dockerd",): (
            "before do hold_restarts",
            "before do stop_docker",
            "after do stop_docker",
            "after do free_addresses",
            "after do start_podman",
        ),
        ("full disk", "read-only state"): (
            "before do create_secrets",
            "before do stop_docker",
            "after do stop_docker",
            "after do start_podman",
            "after do open_ports",
        ),
        ("read-only graph root",): ("before do create_secrets", "after do stop_docker", "after do start_podman"),
        ("full run", "read-only run"): (
            "before do create_secrets",
            "after do stop_docker",
            "after do start_podman",
            "after do open_ports",
        ),
        ("reboot",): (
            "after do create_volumes",
            "after do stop_docker",
            "after do start_podman",
            "before do wait_ready",
            "after do open_ports",
        ),
    },
    DOCKER: {
        ("hang all podman",): ("before do stop_podman",),
        ("hang one systemctl",): ("before do stop_podman",),
        ("hang one nft",): ("before do close_ports",),
        ("hang one ip",): ("before do put_addresses_back",),
        ("fail one nft", "fail all nft"): ("before do close_ports", "before do start_docker", "before do open_ports"),
        ("fail one iptables", "fail all iptables"): ("before do close_forward", "before do remove_coexistence"),
        ("fail one daemon-reload", "fail all daemon-reload"): ("before do bar_units", "before do remove_units"),
        ("killed podman",): ("before do stop_podman", "before do remove_secrets"),
        ("killed conmon",): ("before do keep_data", "before do stop_podman"),
        ("killed dockerd", "restarted dockerd"): (
            "after do stop_podman",
            "after do put_addresses_back",
            "after do start_docker",
            "after do open_ports",
        ),
        ("slow dockerd",): (
            "after do stop_podman",
            "after do put_addresses_back",
            "after do start_docker",
            "after do open_ports",
        ),
        ("full disk", "read-only state"): (
            "before do keep_data",
            "after do stop_podman",
            "after do start_docker",
            "after do open_ports",
        ),
        ("read-only graph root", "full run"): (
            "before do keep_data",
            "after do stop_podman",
            "after do start_docker",
            "after do open_ports",
        ),
        # Not while Podman stops: Netavark leaves rules there for ports, which nobody takes away.
        ("read-only run",): ("after do stop_podman", "after do start_docker", "after do open_ports"),
        ("reboot",): ("after do keep_data", "after do stop_podman", "after do start_docker", "after do open_ports"),
    },
}
# Where Docker, too, goes away for a while: it cannot start until it is repaired.
DOCKER_GONE = {
    PODMAN: ("before do stop_docker", "after do stop_docker", "after do start_podman", "after do open_ports"),
    DOCKER: ("after do stop_podman", "after do start_docker", "after do open_ports"),
}
# Inside of a step: at the thing of this number that it asks for, or while a program runs.
INSIDE = {
    PODMAN: (
        "warm_volumes rsync",
        "create_secrets podman",
        "create_secrets 3",
        "install_units 4",
        "install_units systemctl",
        "open_forward iptables-restore",
        "rehearse podman",
        "hold_restarts 3",
        "stop_docker 4",
        "sync_volumes rsync",
        "free_addresses ip",
        "start_podman systemctl",
        "wait_ready podman",
        "coexist 5",
        "coexist systemctl",
        "enable_units 2",
        "enable_units systemctl",
    ),
    DOCKER: (
        "keep_data rsync",
        "bar_units 3",
        "bar_units systemctl",
        "stop_podman systemctl",
        "stop_podman podman",
        "carry_back rsync",
        "close_forward iptables-restore",
        "put_addresses_back ip",
        "start_docker 4",
        "restore_restarts 2",
        "remove_units 4",
        "remove_units systemctl",
        "remove_coexistence 5",
        "remove_secrets podman",
    ),
}
# Where what recovers is killed, too, when the program was killed at the point before it.
AGAIN = {
    PODMAN: {
        "before do wait_ready": (
            "undo start_podman",
            "undone start_podman",
            "undo free_addresses",
            "undo close_ports",
            "undo stop_docker",
            "undo open_forward",
            "undo install_units",
            "undo create_secrets",
        ),
        "before do open_ports": ("do open_ports", "do coexist", "do enable_units"),
    },
    DOCKER: {
        "before do wait_ready": (
            "undo start_docker",
            "undo put_addresses_back",
            "undo close_forward",
            "undo end_coexistence",
            "undo bar_units",
            "undone bar_units",
        ),
        "before do open_ports": ("do open_ports", "do restore_restarts", "do remove_units", "do remove_secrets"),
    },
}
# On a host with two workloads that move at the same time: where each of them is when the host fails it.
PAIR: dict[str, Points] = {
    PODMAN: {
        ("kill",): (
            "before do install_units",
            "after do stop_docker",
            "after do sync_volumes",
            "before do wait_ready",
            "before undo stop_docker",
            "after do open_ports",
        ),
        ("power",): ("written do sync_volumes", "written done start_podman", "written commit commit"),
        ("reboot",): ("after do stop_docker", "after do start_podman"),
        ("killed dockerd",): ("after do stop_docker", "after do start_podman"),
    },
    DOCKER: {
        ("kill",): (
            "before do keep_data",
            "after do stop_podman",
            "after do carry_back",
            "before do wait_ready",
            "before undo bar_units",
            "after do open_ports",
        ),
        ("power",): ("written do carry_back", "written done start_docker", "written commit commit"),
        ("reboot",): ("after do stop_podman", "after do start_docker"),
        # One that is killed leaves down what is unless-stopped, also of a workload that has been back for a while.
        ("restarted dockerd",): ("after do stop_podman", "after do start_docker"),
    },
}
# What is another thing the first time on a host: the journal is made, Podman's first secret and network are.
FIRST_TIME = {"begin", "rehearse", "create_secrets", "start_podman"}
# The move goes on, and may come to its end on either engine.
EITHER = ""
_CUTS = ("kill", "power", "again", "absent", "dark")


class Case(NamedTuple):
    """A move to ``goal``, troubled at ``point`` in the way that ``end`` says (``troubles.py``).

    A point is ``before do STEP``, ``after undo STEP``, or ``in do STEP 3`` when the step has asked the host for a third thing;
    ``written EVENT STEP`` when the journal has it; with ``, EVENT STEP`` behind it for what recovers. ``owner`` is the engine that
    has the ``workload`` afterwards, EITHER when that is not given; others of that ``host`` may be on either.
    """

    goal: str
    end: str
    point: str
    owner: str
    host: str = "pod"
    workload: str = "shop"

    @property
    def fails(self) -> bool:
        """Whether the move has to fail for this point to be reached."""
        return self.cuts and any(word in self.point.partition(",")[0] for word in ("undo", "failed", "rollback"))

    @property
    def cuts(self) -> bool:
        """Whether the move ends there."""
        return self.end in _CUTS

    @property
    def is_first(self) -> bool:
        """Whether it is tried on a host's first move, which takes longer."""
        return (
            self.cuts
            and self.host == "pod"
            and self.goal == PODMAN
            and (self.point.split()[-1] in FIRST_TIME or self.point.startswith("in do rehearse"))
            and self.end != "again"
        )

    def __str__(self) -> str:
        of = "" if self.host == "pod" else f" of {self.workload}"
        return f"{self.goal}: {self.end} {self.point}{of}"


def other(engine: str) -> str:
    """The engine that a workload is not on."""
    return DOCKER if engine == PODMAN else PODMAN


def cases() -> list[Case]:
    """All of them."""
    return [
        case
        for goal in TABLES
        for case in (
            *_cut(goal),
            *_listed(goal, TROUBLED[goal], "pod", ("shop",)),
            *_listed(goal, PAIR[goal], "pair", ("shop", "voice")),
        )
    ]


def _cut(goal: str) -> list[Case]:
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
    dark = dict.fromkeys((f"done {point.split()[-1]}", owner) for point, owner in gone)
    owners = dict(points)
    inside = [(f"in do {place}", owners["before do " + place.split()[0]]) for place in INSIDE[goal]]
    again = [(f"{first}, {then}", owners[first]) for first, points in AGAIN[goal].items() for then in points]
    return [
        *(Case(goal, "kill", point, owner) for point, owner in [*points, *inside]),
        *(Case(goal, "power", f"written {point}", owner) for point, owner in written),
        *(Case(goal, "absent", point, owner) for point, owner in gone),
        *(Case(goal, "dark", f"written {point}", owner) for point, owner in dark),
        *(Case(goal, "again", point, owner) for point, owner in again),
    ]


def _listed(goal: str, table: Points, host: str, workloads: tuple[str, ...]) -> list[Case]:
    committed = ["commit", *(step.name for step in TABLES[goal][1])]
    return [
        Case(goal, end, point, _owner(goal, end, point.split()[-1] in committed), host, workload)
        for ends, points in table.items()
        for end in ends
        for point in points
        for workload in workloads
    ]


def _owner(goal: str, end: str, is_committed: bool) -> str:
    if is_committed:
        return goal
    return other(goal) if end in _CUTS or end.startswith("hang") else EITHER
