# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash matrix' power cuts on a host in memory: what is on the disk stays, what runs and what the kernel holds is gone."""

from __future__ import annotations

import shutil
from contextlib import suppress

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import (
    cutover,
    directions,
    guard,
    persistence,
    rollback,
    transaction,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.transaction import Transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._network import port_check
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state import journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import precheck
from ansible_collections.podshift.docker_to_podman.tests.crash.cases import cases
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_host import BRIDGE, Host, engine_state, plan

CASES = [case for case in cases() if case.end == "power" and case.host == "pod"]
GATEWAY = ["172.18.0.1/16"]


class PowerCut(BaseException):
    """Ends everything at once."""


def boot(host):
    """What was in /run is gone; Docker and systemd start what they start by themselves."""
    shutil.rmtree(host.unit_dir.parent / "scratch", ignore_errors=True)
    for document in host.docker.values():
        policy = document["HostConfig"]["RestartPolicy"]["Name"]
        document["State"]["Running"] = document["State"]["Running"] and policy in ("always", "unless-stopped")
    units = {path.name: path.read_text() for path in host.unit_dir.glob("*.container")}
    host.services = sorted(
        name.replace(".container", ".service") for name, text in units.items() if "[Install]" in text
    )
    host.links = ["pm-1"] if host.services else []
    host.addresses, host.gate, host.rules = {BRIDGE: list(GATEWAY)}, "", Host().rules


def there(engine, host):
    steps = cutover.steps(lambda: precheck.look(plan()["workloads"][0], [], host, host), host, host, 0.01)
    after = cutover.steps_after(host, engine.coexist_path, settled=False)
    return Transaction(engine.journal_path("blog"), "hash", "podman", steps, after), cutover.commit


def back(engine, host):
    move = directions.return_of(directions.Host(engine, host, host, 0.01, "hash"), "blog", "current")
    return Transaction(engine.journal_path("blog"), "hash", "docker", move.before, move.after), rollback.commit


def fail(run):
    def never_ready(_notes):
        raise UserError("It has to fail.")

    run._before = [step._replace(do=never_ready) if step.name == "wait_ready" else step for step in run._before]


def recover(engine, host, monkeypatch, writes):
    """What the host does by itself at a boot; the power goes again when it has written so many records."""
    left = iter(range(writes))

    def append(path, event):
        journal.append_journal(path, event)
        if next(left, None) == writes - 1:
            raise PowerCut

    boot(host)
    host.docker_starts()
    with monkeypatch.context() as cut:
        for module in (transaction, persistence):
            cut.setattr(module, "append_journal", append)
        return guard.main("recover", str(engine.root.parent))


@pytest.mark.parametrize("cuts", [0, 4])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_after_power_cuts_one_engine_has_it_all(case, cuts, tmp_path, monkeypatch):
    engine = engine_state(tmp_path)
    host = Host()
    host.install(monkeypatch, tmp_path / "units")
    monkeypatch.setattr(guard, "run", lambda _argv, check: None)
    monkeypatch.setattr(persistence, "Docker", lambda _socket: host)
    monkeypatch.setattr(port_check, "answering", lambda ports, _processes, _outside: list(ports))
    if case.goal == "docker":
        run, commit = there(engine, host)
        run.run(commit)
    run, commit = (there if case.goal == "podman" else back)(engine, host)
    if case.fails:
        fail(run)

    def append(path, event):
        journal.append_journal(path, event)
        if "written {0} {1}".format(event["event"], event["step"]) == case.point:
            raise PowerCut

    with monkeypatch.context() as cut:
        cut.setattr(transaction, "append_journal", append)
        with pytest.raises(PowerCut):
            run.run(commit)
    for number in range(1, cuts + 1):
        # Each time it comes further.
        with suppress(PowerCut):
            recover(engine, host, monkeypatch, writes=2 * number)
    assert recover(engine, host, monkeypatch, writes=0) == 0
    events = engine.journal("blog")
    up = sorted(document["Name"] for document in host.docker.values() if document["State"]["Running"])
    found = (journal.owner(events), journal.interrupted(events), up, host.services, host.addresses[BRIDGE])
    assert found == (
        ("podman", "", [], ["db.service", "web.service"], [])
        if case.owner == "podman"
        else ("docker", "", ["/db", "/web"], [], GATEWAY)
    )
