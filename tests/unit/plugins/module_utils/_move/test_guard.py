# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host helps itself: at a boot, when the program dies, and whenever Docker starts again."""

from __future__ import annotations

import copy
import shutil
import sys

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job import entry_point
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._job.client import Job
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move import (
    cutover,
    guard,
    persistence,
    revive,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._move.transaction import Transaction
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import StateError, write_json
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import coexistence, precheck
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_host import (
    BRIDGE,
    DOCKERS_RULES,
    plan,
)


@pytest.fixture
def systemd(monkeypatch, tmp_path):
    (tmp_path / "units").mkdir()
    said = []
    monkeypatch.setattr(guard, "UNIT_DIR", str(tmp_path / "units"))
    monkeypatch.setattr(coexistence, "UNIT_DIR", str(tmp_path / "units"))
    monkeypatch.setattr(guard, "run", lambda argv, check=True: said.append(argv[1]))
    return said


def begin(engine, host):
    item = plan()["workloads"][0]
    steps = cutover.steps(lambda: precheck.look(item, [], host, host), host, host, 0.01)
    return Transaction(
        engine.journal_path("blog"), "hash", "podman", steps, cutover.steps_after(host, engine.coexist_path, False)
    )


def interrupt(engine, host):
    class PowerCut(BaseException):
        pass

    def cut(_notes):
        raise PowerCut

    run = begin(engine, host)
    run._before[8] = run._before[8]._replace(do=cut)
    with pytest.raises(PowerCut):
        run.run(cutover.commit)


@pytest.mark.parametrize(
    ("version", "chosen"),
    [("3.13", "/usr/bin/python3"), ("3.8", "/usr/bin/python3"), ("3.6", sys.executable), (None, sys.executable)],
    ids=["new", "oldest", "too old", "absent"],
)
def test_the_services_outlive_an_upgrade_of_python(monkeypatch, tmp_path, version, chosen):
    python = tmp_path / "python3"
    if version:
        script = """#!/bin/sh
exec {0} -c "import sys; sys.version_info = ({1}, 0); ${{2#import sys; }}"
"""
        python.write_text(script.format(sys.executable, version.replace(".", ", ")))
        python.chmod(0o755)
    monkeypatch.setattr(guard, "_PYTHON", str(python))
    assert guard.interpreter().replace(str(python), "/usr/bin/python3") == chosen


def test_the_services_are_installed_once_run_a_program_of_root_and_go_again(monkeypatch, systemd, tmp_path):
    monkeypatch.setattr(coexistence, "run", guard.run)
    state = tmp_path / "state"
    guard.install(str(state))
    assert systemd == ["-c", "daemon-reload", "enable", "--file-system"]
    program = state / "program.pyz"
    assert program.stat().st_mode & 0o777 == 0o600
    text = (tmp_path / "units" / guard.RECOVER).read_text()
    assert "WantedBy=multi-user.target docker.service\n" in text
    assert "StartLimitIntervalSec=0\n" in text
    assert "{0} recover {1}\n".format(program, state) in text
    assert "ConditionPathExists={0}/under_way\n".format(state) in text
    systemd.clear()
    guard.install(str(state))
    assert systemd == ["-c", "enable", "--file-system"]
    assert guard.found(str(state)) == [str(tmp_path / "units" / guard.RECOVER), str(program)]
    systemd.clear()
    guard.remove(str(state))
    assert systemd == ["disable", "daemon-reload", "reset-failed"]
    assert guard.found(str(state)) == []
    systemd.clear()
    guard.remove(str(state))
    assert systemd == []


def test_what_was_interrupted_is_undone_and_then_there_is_nothing_to_do(engine, host, systemd):
    before = host.state(host.unit_dir)
    interrupt(engine, host)
    assert guard.main("recover", str(engine.root.parent)) == 0
    assert host.state(host.unit_dir) == before
    assert systemd == ["reset-failed"]
    host.log.clear()
    assert guard.main("recover", str(engine.root.parent)) == 0
    assert host.log == []


def test_whenever_docker_starts_again_it_loses_the_addresses_of_what_has_moved(engine, host):
    begin(engine, host).run(cutover.commit)
    dockers = guard.coexistence.iptables.parse(DOCKERS_RULES)
    for rules in (dockers, host.rules, host.rules):
        host.addresses[BRIDGE], host.rules = ["172.18.0.1/16"], copy.deepcopy(rules)
        host.docker_starts()
        assert host.addresses[BRIDGE] == []
        for table, chain in (("filter", "FORWARD"), ("nat", "POSTROUTING")):
            assert sum("docker_to_podman:blog" in rule for rule in host.rules[table].of(chain)) == 1


@pytest.mark.parametrize("retired", [False, True], ids=["beside Podman", "brought back"])
def test_what_an_earlier_version_left_to_python_gets_files(engine, host, systemd, tmp_path, retired):
    """A boot may come before the revival of a retired Docker is noted."""
    begin(engine, host).run(cutover.commit)
    shutil.rmtree(tmp_path / "units" / "docker.service.wants")
    shutil.rmtree(engine.coexist_path)
    coexistence.found()[0].unlink()
    old = tmp_path / "units" / "docker_to_podman-coexist.service"
    old.write_text("[Service]\nExecStart=/usr/bin/python3 program.pyz coexist state\n")
    if retired:
        write_json(engine.retired_path, {"format": 1})
    guard.install(str(engine.root.parent))
    assert not old.exists()
    host.addresses[BRIDGE] = ["172.18.0.1/16"]
    host.docker_starts()
    assert host.addresses[BRIDGE] == []


def test_rules_that_cannot_be_set_keep_no_other_work_from_being_done(engine, host, systemd, capsys):
    begin(engine, host).run(cutover.commit)
    host.broken, host.addresses[BRIDGE] = {"address delete"}, ["172.18.0.1/16"]
    guard.install(str(engine.root.parent))
    assert "docker_to_podman-coexist-blog.service failed" in capsys.readouterr().out


def test_a_boot_needs_python_for_what_is_under_way_only(engine, host, systemd):
    state = engine.root.parent
    guard.install(str(state))
    interrupt(engine, host)
    guard.remove(str(state))
    assert (state / "under_way").exists()
    assert guard.main("recover", str(state)) == 0
    guard.remove(str(state))
    assert not (state / "under_way").exists()


def test_the_services_stay_while_a_workload_is_under_way_or_docker_runs_beside_podman(engine, host, systemd, tmp_path):
    state = str(engine.root.parent)
    assert not guard.is_needed(state)
    interrupt(engine, host)
    assert guard.is_needed(state)
    guard.main("recover", state)
    assert not guard.is_needed(state)
    begin(engine, host).run(cutover.commit)
    guard.install(state)
    guard.remove(state)
    assert [path.rpartition("/")[2] for path in guard.found(state)] == [
        guard.RECOVER,
        "docker_to_podman-coexist-blog.service",
        "program.pyz",
    ]
    write_json(engine.retired_path, {"format": 1})
    guard.remove(state)
    assert guard.found(state) == []
    assert not engine.coexist_path.exists()


def test_a_retired_docker_comes_back_beside_what_stays_on_podman(engine, monkeypatch):
    said = []
    monkeypatch.setattr(revive, "run", lambda argv: said.append(argv[1:]))
    monkeypatch.setattr(revive.guard, "coexist", lambda _engine: said.append("coexist"))
    shown = {"docker.service": "loaded", "docker.socket": "not-found"}
    monkeypatch.setattr(revive, "services", lambda names: {name: _Service(shown[name]) for name in names})
    write_json(engine.retired_path, {"format": 1})
    revive.revive(engine)
    assert not engine.retired
    assert said == [
        ["unmask", "--quiet", "docker.service", "docker.socket"],
        ["enable", "--quiet", "docker.service"],
        ["start", "docker.service"],
        "coexist",
    ]


class _Service:
    def __init__(self, load):
        self.load = load


def test_what_is_still_under_way_stays_a_failure(engine, host, systemd):
    interrupt(engine, host)
    guard.calm(str(engine.root.parent))
    assert systemd == []


def test_a_damaged_journal_does_not_have_the_service_fail_again_and_again(engine, host, systemd):
    engine.journal_path("b").parent.mkdir(parents=True)
    engine.journal_path("b").write_text("damaged\n")
    assert guard.main("recover", str(engine.root.parent)) == persistence.GIVEN_UP
    assert systemd == []


def test_the_service_that_moves_is_called_so_by_both():
    assert Job("workloads")._unit == persistence.MOVES


def test_the_program_is_one_of_the_services_when_it_is_told_so(monkeypatch):
    monkeypatch.setattr(entry_point.sys, "argv", ["program", "recover", "/srv/state"])
    monkeypatch.setattr(entry_point.signals, "heed", lambda: None)
    monkeypatch.setattr(entry_point.guard, "main", lambda *given: {("recover", "/srv/state"): 7}[given])
    with pytest.raises(SystemExit) as ended:
        entry_point.main()
    assert ended.value.code == 7


def test_a_state_folder_that_would_bend_a_unit_is_refused(systemd):
    with pytest.raises(StateError, match="cannot stand in a unit"):
        guard.install("/srv/a b")
    assert systemd == []
