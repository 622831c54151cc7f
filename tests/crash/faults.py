# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defects that the matrix has to find: each is written into the program, and the case beside it must fail."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """What is replaced by what in a file of module_utils, and a case that notices."""

    what: str
    file: str
    old: str
    new: str
    case: str


FAULTS = [
    Fault(
        "restart policies are not given back",
        "_move/cutover.py",
        "guarded(side.require_unended, side.hold), on(side.give_back)",
        "guarded(side.require_unended, side.hold), nothing",
        "podman: kill after do hold_restarts",
    ),
    Fault(
        "restart policies are not held",
        "_move/cutover.py",
        "guarded(side.require_unended, side.hold), on(side.give_back)",
        "nothing, on(side.give_back)",
        "podman: power written done start_podman",
    ),
    Fault(
        "Docker's containers are not started again",
        "_workload/docker_containers.py",
        'said, until = _try(self._docker.start, container["id"])',
        'said, until = ""',
        "podman: kill after do stop_docker",
    ),
    Fault(
        "the last round of the copy is left out",
        "_move/cutover.py",
        "stats = each(rounds.final, found)",
        "stats = each(lambda _trees: rounds.rsync.TreeStats(0, 0, 0.0, 0), found)",
        "podman: kill after do open_ports",
    ),
    Fault(
        "the addresses of Docker's bridge are not put back",
        "_move/cutover.py",
        "on(addresses.free), on(addresses.put_back)",
        "on(addresses.free), nothing",
        "podman: kill after do free_addresses",
    ),
    Fault(
        "the way through Docker's firewall stays open",
        "_move/cutover.py",
        "on(addresses.open_passage), on(addresses.close_passage)",
        "on(addresses.open_passage), nothing",
        "podman: kill after do open_forward",
    ),
    Fault(
        "the ports stay closed",
        "_move/rollback.py",
        "guarded(side.require_down, port_gate.open_ports)",
        "nothing",
        "docker: kill after do close_ports",
    ),
    Fault(
        "Podman is not stopped",
        "_move/cutover.py",
        "guarded(require_asleep, podman_services.start), on(podman_services.discard)",
        "guarded(require_asleep, podman_services.start), nothing",
        "podman: kill after do start_podman",
    ),
    Fault(
        "units start at a boot before the commit",
        "_workload/podman_services.py",
        "without_install(text) if units.is_unit(name) else text",
        "text",
        "podman: power written done install_units",
    ),
    Fault(
        "a step is journaled only when it has been done",
        "_move/transaction.py",
        '        self._write(step.name, "do")\n        try:\n            found[step.name] = step.do(found) or {}\n',
        '        try:\n            found[step.name] = step.do(found) or {}\n            self._write(step.name, "do")\n',
        "podman: kill after do start_podman",
    ),
    Fault(
        "the journal is not synced",
        "_state/journal.py",
        "        stream.flush()\n        os.fsync(stream.fileno())\n    if new:",
        "        stream.flush()\n    if new:",
        "podman: power written commit commit",
    ),
    Fault(
        "what was committed is not finished",
        "_move/recovery.py",
        "    settled = journal.settled(events)\n    if not settled:",
        "    settled = journal.settled(events)\n    if settled or not settled:",
        "podman: power written commit commit",
    ),
    Fault(
        "the service that recovers does not start at a boot",
        "_move/guard.py",
        'run(["systemctl", "enable", "--quiet", *_UNITS])',
        'run(["systemctl", "disable", "--quiet", *_UNITS])',
        "podman: power written done stop_docker",
    ),
    Fault(
        "what Podman wrote is not carried back",
        "_move/rollback.py",
        "guarded(docker_is_down, _carry_back if is_current else _keep_podmans)",
        "nothing",
        "docker: kill after do open_ports",
    ),
    Fault(
        "what was mended stays a failed unit",
        "_move/guard.py",
        "    calm(state_dir)\n    return code",
        "    return code",
        "podman: kill after do sync_volumes",
    ),
    Fault(
        "a program that hangs has no deadline",
        "_common/deadlines.py",
        "return row if seconds == row.seconds else Deadline(seconds)",
        "return Deadline(1000.0)",
        "podman: hang one systemctl before do start_podman",
    ),
    Fault(
        "services that do not stop are not killed",
        "_workload/podman_services.py",
        "        units.kill(names)\n",
        "        return\n",
        "podman: hang all podman before do wait_ready",
    ),
    Fault(
        "what a killed writer has left stays",
        "_common/files.py",
        'return target.with_name(".{0}.new".format(target.name))',
        'return target.with_name(".{0}.{1}.new".format(target.name, os.getpid()))',
        "podman: kill in do install_units 4",
    ),
    Fault(
        "of a Podman that fails it is said that it has no secret",
        "_podman/objects.py",
        'if name in run(["podman", "secret", "ls", "--format", "{{.Name}}"]).stdout.split():',
        'if name == "":',
        "docker: read-only graph root after do stop_podman",
    ),
    Fault(
        "services that cannot start again are left alone",
        "_workload/podman_services.py",
        'if down:\n        raise UserError("Podman does not run',
        'if down and not names:\n        raise UserError("Podman does not run',
        "docker: read-only graph root before do keep_data",
    ),
    Fault(
        "what dockerd took down with it stays down",
        "_move/rollback.py",
        'Step("start_services", if_(side.are_resumed)',
        'Step("start_services", if_(lambda _record: True)',
        "docker: killed dockerd after do open_ports",
    ),
    Fault(
        "Docker keeps the addresses of its bridges at a boot",
        "_workload/coexistence.py",
        "addresses.require_plain(one))) for one in bridges\n",
        "addresses.require_plain(one))) for one in bridges[:0]\n",
        "podman: reboot after do open_ports",
    ),
]
