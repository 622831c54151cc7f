# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers are stopped one layer after the other, each as soon as the processes of the one before have ended."""

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.errors import UserError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._docker.api import DockerError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._host.cgroups import Watch
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload import docker_containers
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._workload.docker_containers import DockerSide

NAMES = ("db", "cache", "web")
RECORD = {
    "containers": [{"id": name, "name": name, "running": True, "stop_timeout": 10} for name in NAMES],
    "layers": [["db", "cache"], ["web"]],
}


class Docker:
    """Takes its time to take down what a container had, whose processes are ended by somebody else."""

    def __init__(self, folder):
        self.asked, self.running, self.refuses, self.fails = [], set(NAMES), set(), set()
        self.started = {name: "for " + name for name in NAMES}
        self.through = {name: threading.Event() for name in NAMES}
        self.watched = {name: Watch(folder / (name + ".events"), folder / (name + ".stat")) for name in NAMES}
        for watched in self.watched.values():
            watched.events.write_text("populated 1\n")

    def inspect(self, name):
        return {"Name": name, "State": self.state(name)}

    def state(self, name):
        return {"Running": name in self.running, "Pid": NAMES.index(name), "StartedAt": self.started[name]}

    def stop(self, name, timeout):
        self.asked.append(name)
        if name in self.refuses:
            raise DockerError("no")
        assert self.through[name].wait(10)
        if name in self.fails:
            raise DockerError("It did not stop.")
        self.running.discard(name)

    def end(self, name):
        self.watched[name].events.write_text("populated 0\n")


@pytest.fixture
def docker(tmp_path, monkeypatch):
    docker = Docker(tmp_path)
    monkeypatch.setattr(docker_containers, "watch", lambda _pid, container: docker.watched[container])
    yield docker
    for event in docker.through.values():
        event.set()


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def begin(action, *arguments):
    thread = threading.Thread(target=action, args=arguments, daemon=True)
    thread.start()
    return thread


def test_each_layer_waits_for_the_processes_of_the_one_before_and_all_of_it_for_docker(docker):
    side = DockerSide(docker)
    ending = begin(side.end, RECORD)
    until(lambda: docker.asked == ["web"])
    time.sleep(0.05)
    assert docker.asked == ["web"]
    docker.end("web")
    until(lambda: sorted(docker.asked) == ["cache", "db", "web"])
    docker.end("db")
    ending.join(0.05)
    assert ending.is_alive()
    docker.end("cache")
    ending.join(10)
    assert not ending.is_alive()
    waiting = begin(side.await_stopped, RECORD)
    docker.through["web"].set()
    docker.through["db"].set()
    waiting.join(0.05)
    assert waiting.is_alive()
    docker.through["cache"].set()
    waiting.join(10)
    assert not docker.running


def test_one_that_docker_does_not_take_down_is_an_error_when_it_is_through_with_the_others(docker):
    side = DockerSide(docker)
    for name in NAMES:
        docker.end(name)
    side.end(RECORD)
    errors = []

    def wait():
        with pytest.raises(DockerError) as error:
            side.await_stopped(RECORD)
        errors.append(error)

    docker.fails = {"web"}
    docker.through["web"].set()
    waiting = begin(wait)
    waiting.join(0.05)
    assert not errors
    for event in docker.through.values():
        event.set()
    waiting.join(10)
    assert errors


def test_without_a_word_of_the_kernel_docker_has_to_be_through(docker, monkeypatch):
    monkeypatch.setattr(docker_containers, "watch", lambda _pid, _container: None)
    ending = begin(DockerSide(docker).end, RECORD)
    until(lambda: docker.asked == ["web"])
    docker.end("web")
    ending.join(0.05)
    assert docker.asked == ["web"]
    docker.through["web"].set()
    until(lambda: len(docker.asked) == 3)


def test_one_that_docker_does_not_stop_is_told_at_once(docker):
    docker.refuses = {"web"}
    with pytest.raises(DockerError):
        DockerSide(docker).end(RECORD)
    assert docker.asked == ["web"]


@pytest.mark.parametrize("after", ["last_starts", "await_stopped"])
def test_one_that_runs_again_when_docker_is_through_is_an_error(docker, after, monkeypatch):
    stop = docker.stop

    def is_started_again(name, timeout):
        stop(name, timeout)
        docker.running.add("db")

    monkeypatch.setattr(docker, "stop", is_started_again)
    for event in docker.through.values():
        event.set()
    side = DockerSide(docker)
    side.end(RECORD)
    with pytest.raises(UserError, match="Docker runs db"):
        getattr(side, after)(RECORD)


def test_docker_is_not_asked_for_what_it_takes_down_which_it_would_answer_when_it_is_through(docker, monkeypatch):
    side = DockerSide(docker)
    inspect = docker.inspect

    def answers_late(name):
        if name in docker.asked:
            assert docker.through[name].is_set()
        return inspect(name)

    for name in NAMES:
        docker.end(name)
    monkeypatch.setattr(docker, "inspect", answers_late)
    side.end(RECORD)
    starts = side.last_starts(RECORD)
    assert starts == docker.started
    for event in docker.through.values():
        event.set()
    side.await_stopped(RECORD)
    side.require_unstarted(RECORD, starts)
    docker.started["db"] = "anew"
    with pytest.raises(UserError, match="Somebody started db in Docker"):
        side.require_unstarted(RECORD, starts)


def test_one_that_is_started_while_docker_takes_others_down_is_an_error_in_the_end(docker):
    side = DockerSide(docker)
    for name in NAMES:
        docker.end(name)
    side.end(RECORD)
    for event in docker.through.values():
        event.set()
    until(lambda: not docker.running)
    docker.running.add("db")
    with pytest.raises(UserError, match="Docker runs db"):
        side.await_stopped(RECORD)


@pytest.mark.parametrize(("refusals", "is_up"), [(0, True), (2, True), (1000, False)])
def test_what_a_killed_dockerd_has_left_keeps_no_container_down(docker, monkeypatch, refusals, is_up):
    """containerd needs a moment to clear up behind the shim."""
    ended, asked = [], []

    def start(name):
        asked.append(name)
        if len(asked) <= refusals:
            raise DockerError("failed to create task for container: task {0}: already exists".format(name))

    monkeypatch.setattr(docker, "start", start, raising=False)
    monkeypatch.setattr(docker_containers.shims, "end_deserted", ended.append)
    monkeypatch.setattr(docker_containers, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(docker_containers, "_CLEARING_SECONDS", 0.2)
    said = DockerSide(docker)._start(RECORD["containers"][0])
    assert (said == "") is is_up
    assert ("systemctl restart containerd" in said) is not is_up
    assert set(ended) == ({"db"} if refusals else set())


def test_another_refusal_is_no_reason_to_end_a_shim(docker, monkeypatch):
    def start(_name):
        raise DockerError("port is already allocated")

    monkeypatch.setattr(docker, "start", start, raising=False)
    monkeypatch.setattr(docker_containers.shims, "end_deserted", lambda _name: pytest.fail("it is left alone"))
    assert DockerSide(docker)._start(RECORD["containers"][0]) == "port is already allocated"
