# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a playbook runs it: its arguments in, its result out, files on the host in between."""

from __future__ import annotations

import copy
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.daemons import Dockerd
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import collect
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan._documents.containers import COMPOSE
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.journal import append_journal
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._state.records import write_json
from ansible_collections.podshift.docker_to_podman.plugins.modules import docker_inventory
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins import fake_module
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_docker import (
    ENGINE_ID,
    VERSION,
    FakeDocker,
    answers,
    container,
)

WEB = container("web", 1, Status="running", Running=True, Pid=0)
DB = container("db", 2)
HOST = {"units": [], "podman": {"installed": None, "candidate": "5.4.2"}, "listeners": [], "socket_readers": []}


class Host:
    """A host with a folder of its own for everything that the module touches."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.monkeypatch, self.capsys = root, monkeypatch, capsys
        self.state = root / "state" / ENGINE_ID
        monkeypatch.setattr(docker_inventory, "SCRATCH_DIR", str(root / "scratch"))
        monkeypatch.setattr(docker_inventory, "is_served", lambda _socket: False)
        monkeypatch.setattr(docker_inventory.daemons, "running", list)
        monkeypatch.setattr(collect, "read_processes", lambda _proc: {})
        monkeypatch.setattr(collect, "host_facts", lambda *_args: copy.deepcopy(HOST))

    def run(
        self, replies: dict[str, Any] | None, check_mode: bool = False, socket: str = "docker.sock"
    ) -> dict[str, Any]:
        """Run the module; ``replies`` None: no Docker is there."""
        if replies is None:
            return self._main(check_mode, socket)
        with FakeDocker(self.root / socket, replies) as self.docker:
            return self._main(check_mode, socket)

    def _main(self, check_mode: bool, socket: str) -> dict[str, Any]:
        arguments = {
            "socket": str(self.root / socket),
            "state_dir": str(self.root / "state"),
            "_ansible_check_mode": check_mode,
        }
        fake_module.give(self.monkeypatch, arguments)
        with pytest.raises(SystemExit):
            docker_inventory.main()
        printed = self.capsys.readouterr().out
        assert "correct horse" not in printed
        result: dict[str, Any] = json.loads(printed)
        return result

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.root)): path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def host(tmp_path, monkeypatch, capsys):
    return Host(tmp_path, monkeypatch, capsys)


def test_the_first_assessment(host):
    result = host.run(answers(WEB, DB))
    assert result["changed"]
    assert result["engine"] == {"id": ENGINE_ID, "version": VERSION["Version"]}
    assert (result["retired"], result["podman"]) == (False, {"installed": None, "candidate": "5.4.2"})
    assert result["containers"] == [
        {"name": "db", "id": DB["Id"], "image": "app:3", "state": "exited", "moved": False},
        {"name": "web", "id": WEB["Id"], "image": "app:3", "state": "running", "moved": False},
    ]
    assert result["state_path"] == str(host.state)
    record = Path(result["inventory_path"])
    assert record == host.state / "inventory.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700
    assert json.loads(record.read_text())["containers"] == [DB, WEB]


def later(document: dict[str, Any]) -> dict[str, Any]:
    """The same container after a while."""
    health = {"Status": "healthy", "FailingStreak": 0, "Log": [{"Output": "ok"}]}
    return {**document, "State": {**document["State"], "Health": health}}


def test_a_second_assessment_changes_nothing_but_refreshes_what_is_volatile(host):
    host.run(answers(WEB))
    assert host.run(answers(WEB))["changed"] is False
    before = host.files()
    result = host.run(answers(later(WEB)))
    assert result["changed"] is False
    assert host.files() != before
    assert '"healthy"' in Path(result["inventory_path"]).read_text()


def test_a_new_container_changes_the_record(host):
    host.run(answers(WEB))
    assert host.run(answers(WEB, DB))["changed"] is True


def test_check_mode_on_an_untouched_host_writes_no_state(host):
    result = host.run(answers(WEB), check_mode=True)
    assert result["changed"]
    assert result["state_path"] == str(host.state)
    assert result["inventory_path"] == str(host.root / "scratch" / ENGINE_ID / "inventory.json")
    assert list(host.files()) == ["scratch/{0}/inventory.json".format(ENGINE_ID)]
    assert stat.S_IMODE(Path(result["inventory_path"]).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("now", "changed", "place"),
    [([WEB], False, "state"), ([later(WEB)], False, "scratch"), ([WEB, DB], True, "scratch")],
)
def test_check_mode_leaves_a_record_as_it_is_and_shows_what_it_would_be(host, now, changed, place):
    host.run(answers(WEB))
    before = host.files()
    result = host.run(answers(*now), check_mode=True)
    assert result["changed"] is changed
    assert result["inventory_path"] == str(host.root / place / ENGINE_ID / "inventory.json")
    assert {name: text for name, text in host.files().items() if name.startswith("state/")} == before
    assert json.loads(Path(result["inventory_path"]).read_text())["containers"] == sorted(now, key=lambda c: c["Name"])


def commit(host: Host, workload: str, *containers: dict[str, Any]) -> None:
    ids = [item["Id"] for item in containers]
    record = {
        "pod": None, "units": {"web.container": ""}, "containers": [{"name": "web", "id": WEB["Id"]}], "networks": [],
        "volumes": [], "secrets": [], "ports": [],
    }  # fmt: skip
    for event, step, data in (
        ("begin", "begin", {"goal": "podman"}),
        ("done", "record", record),
        ("commit", "commit", {"goal": "podman", "containers": ids}),
    ):
        journal = host.state / "journal" / (workload + ".jsonl")
        append_journal(journal, {"event": event, "step": step, "data": data})


def test_what_has_moved_is_no_stranger_also_when_a_later_plan_lacks_it(host):
    """One assessment with another policy, and then the right one again."""
    host.run(answers(WEB, DB))
    commit(host, "web", WEB)
    write_json(host.state / "plan.json", {"format": 1, "workloads": []})
    host.monkeypatch.setitem(HOST, "units", ["ssh.service", "web.service"])
    host.monkeypatch.setitem(HOST, "podman", {**HOST["podman"], "containers": ["theirs", "web"]})
    result = host.run(answers(WEB, DB))
    found = json.loads(Path(result["inventory_path"]).read_text())["host"]
    assert (found["units"], found["podman"]["containers"]) == (["ssh.service"], ["theirs"])


def test_a_moved_container_is_reported_as_it_ran(host):
    host.run(answers(WEB, DB))
    commit(host, "web", WEB)
    host.monkeypatch.setitem(HOST, "units", ["web.service"])
    stopped = {**WEB, "State": {**WEB["State"], "Status": "exited", "Running": False}}
    result = host.run(answers(stopped, DB))
    assert result["changed"] is False
    assert [(item["name"], item["state"], item["moved"]) for item in result["containers"]] == [
        ("db", "exited", False),
        ("web", "running", True),
    ]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (["begin"], "interrupted"),
        (["begin", "rollback"], "docker"),
        (["begin", "commit"], "unfinished"),
        (["begin", "commit", "done"], "podman"),
        (["begin", "commit", "done", "begin"], "interrupted"),
    ],
)
def test_the_state_of_each_workload_is_told(host, events, state):
    assert host.run(answers(WEB))["workloads"] == []
    for event in events:
        data = {"goal": "podman", "containers": []}
        append_journal(host.state / "journal" / "web.jsonl", {"event": event, "step": "enable_units", "data": data})
    assert host.run(answers(WEB))["workloads"] == [{"name": "web", "state": state}]


def test_a_service_of_ours_whose_program_has_gone_is_a_warning(host, monkeypatch, tmp_path):
    monkeypatch.setattr(docker_inventory.helpers, "UNIT_DIR", str(tmp_path))
    (tmp_path / "docker_to_podman-recover.service").write_text("[Service]\nExecStart=/usr/bin/python3.4 program.pyz\n")
    result = host.run(answers(WEB))
    assert result["broken_services"] == ["docker_to_podman-recover.service (/usr/bin/python3.4)"]
    assert "cannot start, because its program has gone; run migrate.yml" in str(result["warnings"])


def test_what_docker_runs_again_although_it_has_moved_is_a_warning_with_its_project(host):
    host.run(answers(WEB, DB))
    commit(host, "web", WEB)
    label = {"com.docker.compose.project.working_dir": "/srv/web"}
    listed = [
        {"Id": WEB["Id"], "Names": ["/web"], "State": "running", "Labels": label},
        {"Id": DB["Id"], "Names": ["/db"], "State": "running"},
    ]
    result = host.run({**answers(WEB, DB), "GET /containers/json": listed})
    assert result["awake"] == ["web (Compose project in /srv/web)"]
    assert "although it has moved to Podman; stop it there" in str(result["warnings"])
    assert host.run(answers(WEB, DB))["awake"] == []


@pytest.mark.parametrize(
    "again",
    [
        {"Id": "f" * 64, "Names": ["/web"]},
        {"Id": "f" * 64, "Names": ["/new-web-1"], "Labels": {COMPOSE + "project": "web", COMPOSE + "service": "app"}},
    ],
)
def test_so_is_what_docker_compose_up_has_created_again(host, again):
    labels = {COMPOSE + "project": "web", COMPOSE + "service": "app"}
    web = {**WEB, "Config": {**WEB["Config"], "Labels": labels}}
    host.run(answers(web, DB))
    commit(host, "web", web)
    listed = [{**again, "State": "running"}, {"Id": DB["Id"], "Names": ["/db"], "State": "running"}]
    assert host.run({**answers(web, DB), "GET /containers/json": listed})["awake"] == [again["Names"][0][1:]]


def test_a_retired_engine_that_runs_something_again_is_not_believed_to_sleep(host):
    host.run(answers(WEB, DB))
    commit(host, "web", WEB, DB)
    write_json(host.state / "retired.json", {"format": 1})
    host.monkeypatch.setattr(docker_inventory, "is_served", lambda _socket: True)
    assert not host.run({**answers(), "GET /containers/json": []}).get("failed")
    before = host.files()
    said = host.run({**answers(), "GET /containers/json": [{"Id": "f" * 64, "Names": ["/shop"]}]})["msg"]
    assert "but runs again, with shop." in said
    assert str(host.state / "retired.json") in said
    moved = [{"Id": item["Id"], "Names": [item["Name"]]} for item in (WEB, DB)]
    said = host.run({**answers(), "GET /containers/json": moved})["msg"]
    assert "but runs again, with db, web, which has moved to Podman. Stop it there" in said
    assert host.files() == before


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_retired_engine_is_not_woken_and_its_record_speaks(host, check_mode):
    first = host.run(answers(WEB, DB))
    commit(host, "web", WEB, DB)
    write_json(host.state / "retired.json", {"format": 1})
    before = host.files()
    result = host.run(answers(), check_mode=check_mode)
    assert host.docker.requests == []
    assert host.run(None, check_mode=check_mode) == result
    assert (result["changed"], result["retired"], host.files()) == (False, True, before)
    moved = [{**item, "moved": True} for item in first["containers"]]
    assert {**result, "awake": [], "workloads": []} == {**first, "changed": False, "retired": True, "containers": moved}


def anew(*containers: dict[str, Any], identity: str = "another-engine") -> dict[str, Any]:
    """The answers of another engine, as after Docker's data root was made anew."""
    replies = answers(*containers)
    return {**replies, "GET /info": {**replies["GET /info"], "ID": identity}}


def serve(host: Host, is_served: bool) -> None:
    host.monkeypatch.setattr(docker_inventory, "is_served", lambda _socket: is_served)


@pytest.mark.parametrize("is_served", [False, True])
def test_another_engine_at_the_socket_has_records_of_its_own(host, is_served):
    """Also when it was recorded later, and whichever ID comes first."""
    host.run(answers(WEB, DB))
    commit(host, "web", WEB)
    for identity in ("0-engine", "zz-engine"):
        assert host.run(anew(DB, identity=identity))["changed"]
    before = host.files()
    serve(host, is_served)
    result = host.run(answers(DB, {**WEB, "State": {**WEB["State"], "Status": "exited", "Running": False}}))
    assert (result["state_path"], result["changed"]) == (str(host.state), False)
    assert [(item["name"], item["state"], item["moved"]) for item in result["containers"]] == [
        ("db", "exited", False),
        ("web", "running", True),
    ]
    assert {name for name, text in host.files().items() if before[name] != text} <= {
        "state/{0}/inventory.json".format(ENGINE_ID)
    }


@pytest.mark.parametrize("identity", ["0-engine", "zz-engine"])
def test_a_retired_engine_speaks_though_another_one_was_assessed_before_it(host, identity):
    host.run(anew(DB, identity=identity))
    host.run(answers(WEB))
    commit(host, "web", WEB)
    write_json(host.state / "retired.json", {"format": 1})
    result = host.run(answers())
    assert host.docker.requests == []
    assert (result["state_path"], result["retired"]) == (str(host.state), True)


@pytest.mark.parametrize("is_served", [False, True])
def test_a_docker_that_came_after_the_retired_one_is_asked(host, is_served):
    host.run(answers(WEB))
    commit(host, "web", WEB)
    write_json(host.state / "retired.json", {"format": 1})
    before = host.files()
    serve(host, True)
    assert host.run(anew(DB))["retired"] is False
    serve(host, is_served)
    result = host.run(anew(DB))
    assert (result["retired"], result["engine"]["id"]) == (False, "another-engine")
    assert "Docker is not installed here" in host.run(None)["msg"]
    assert {name: text for name, text in host.files().items() if name in before} == before


def test_an_engine_is_the_same_through_another_socket(host):
    host.run(answers(WEB, DB))
    commit(host, "web", WEB, DB)
    assert [item["moved"] for item in host.run(answers(DB), socket="other.sock")["containers"]] == [True, True]
    write_json(host.state / "retired.json", {"format": 1})
    assert host.run(None, socket="other.sock")["retired"] is True


@pytest.mark.parametrize("retired", [False, True])
def test_every_dockerd_is_told_and_none_is_recorded(host, retired):
    host.run(answers(WEB))
    if retired:
        write_json(host.state / "retired.json", {"format": 1})
    host.monkeypatch.setattr(docker_inventory.daemons, "running", lambda: [Dockerd(4711, "/build.service", True)])
    result = host.run(answers(WEB))
    assert (result["dockerds"], result["changed"]) == (["process 4711 in /build.service"], False)
    assert "4711" not in str(host.files())


HTML = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        (None, "Docker is not installed here or its socket is elsewhere"),
        ({"GET /version": b""}, "Docker broke off its answer"),
        ({"GET /version": HTML}, "is not JSON"),
        ({"GET /version": {**VERSION, "ApiVersion": "1.39"}}, "too old"),
        ({"GET /version": VERSION, "GET /info": (500, {"message": "oops"})}, "oops"),
        ({**answers(), "GET /info": {**answers()["GET /info"], "ID": "../../etc"}}, "cannot be the name of a file"),
    ],
)
def test_bad_input_is_one_clear_message_and_nothing_is_written(host, replies, said):
    result = host.run(replies)
    assert result["failed"]
    assert said in result["msg"]
    assert host.files() == {}


@pytest.mark.parametrize("retired", [False, True])
@pytest.mark.parametrize("text", ["{", '{"format": 1}'])
def test_a_damaged_record_is_named_and_left_alone(host, text, retired):
    host.run(answers(WEB))
    record = host.state / "inventory.json"
    record.write_text(text)
    if retired:
        write_json(host.state / "retired.json", {"format": 1})
    result = host.run(answers(WEB))
    assert result["failed"]
    assert str(record) in result["msg"]
    assert record.read_text() == text


@pytest.mark.parametrize(
    "afterwards",
    [
        lambda host: write_json(host.state / "retired.json", {"format": 1}),
        lambda host: commit(host, "web", WEB),
    ],
)
def test_the_record_must_not_be_lost_once_a_workload_has_moved(host, afterwards):
    host.run(answers(WEB))
    afterwards(host)
    (host.state / "inventory.json").unlink()
    result = host.run(answers(WEB))
    assert result["failed"]
    assert "{0} is missing".format(host.state / "inventory.json") in result["msg"]
    assert not (host.state / "inventory.json").exists()


def test_a_record_that_is_lost_before_is_made_again(host):
    host.run(answers(WEB))
    (host.state / "inventory.json").unlink()
    assert host.run(answers(WEB))["changed"] is True
