"""Machines that have this machine's kernel: when they are chosen, what they take from this machine, how they are reached."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "lab"))

from lablib import boots, cache, cgroups, container, forward, instance, machine, qemu, running, supervisor


@pytest.fixture(autouse=True)
def lab_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PODSHIFT_LAB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("asked", "usable", "accelerator", "kind"),
    [
        (None, True, "tcg", "vm"),
        ("vm", True, "tcg", "vm"),
        ("container", False, "kvm", "container"),
        ("fastest", True, "kvm", "vm"),
        ("fastest", True, "tcg", "container"),
        ("fastest", False, "tcg", "vm"),
        ("fastest", "without groups", "tcg", "vm"),
    ],
)
def test_a_machine_is_virtual_unless_something_else_is_asked_for(monkeypatch, asked, usable, accelerator, kind):
    def require():
        if not usable:
            raise cache.LabError("not here")

    monkeypatch.delenv("PODSHIFT_LAB", raising=False)
    if asked:
        monkeypatch.setenv("PODSHIFT_LAB", asked)

    def prepare():
        if usable is not True:
            raise cache.LabError("no pids")

    monkeypatch.setattr(container, "require", require)
    monkeypatch.setattr(cgroups, "prepare", prepare)
    monkeypatch.setattr(boots, "layer", Path)
    monkeypatch.setattr(instance.shutil, "which", lambda name: name)
    monkeypatch.setattr(qemu, "accelerator", lambda _boot: accelerator)
    assert instance.kind_for("debian13") == kind


def test_an_unknown_kind_is_refused(monkeypatch):
    monkeypatch.setenv("PODSHIFT_LAB", "cloud")
    with pytest.raises(cache.LabError, match="'cloud'; there are: vm, container, fastest"):
        instance.kind_for("debian13")


def test_without_root_there_are_no_such_machines(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(cache.LabError, match="need root"):
        container.require()


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Version 1 with pids, and version 2 without; what version 1 loses is version 2's."""
    old, new = tmp_path / "pids", tmp_path / "unified"
    old.mkdir()
    new.mkdir()
    (new / "cgroup.controllers").write_text("hugetlb")
    (new / "cgroup.subtree_control").write_text("")

    def take(argv, **_options):
        assert argv[-1] == str(old)
        is_busy = (tmp_path / "busy").exists()
        if argv[0] == "mount" or not is_busy:
            (new / "cgroup.controllers").write_text("hugetlb pids")
        return subprocess.CompletedProcess(argv, 32 if argv[0] == "umount" and is_busy else 0)

    monkeypatch.setattr(subprocess, "run", take)
    monkeypatch.setattr(cgroups.time, "monotonic", iter(range(0, 1000, 10)).__next__)
    mounts = [["cgroup", str(old), "cgroup", "rw,pids"], ["cgroup2", str(new), "cgroup2", "rw"]]
    monkeypatch.setattr(cgroups, "_mounts", lambda: mounts)
    return tmp_path


@pytest.mark.parametrize("is_busy", [False, True])
def test_what_version_1_does_not_use_goes_to_version_2(groups, is_busy):
    if is_busy:
        (groups / "busy").touch()
    cgroups.prepare()
    assert (groups / "unified" / "cgroup.subtree_control").read_text() == "+pids"


def test_what_version_1_uses_stays_with_it(groups):
    (groups / "pids" / "system.slice").mkdir()
    with pytest.raises(cache.LabError, match="version 1 uses it"):
        cgroups.prepare()


def test_groups_that_cannot_have_a_controller_are_a_reason(groups):
    (groups / "unified" / "cgroup.subtree_control").unlink()
    (groups / "unified" / "cgroup.subtree_control").mkdir()
    with pytest.raises(cache.LabError, match="cannot have hugetlb here"):
        cgroups.prepare()


@pytest.mark.parametrize("tag", ["", "../disk", "a b", "a.img"])
def test_a_snapshot_cannot_leave_the_folder(tmp_path, tag):
    with pytest.raises(cache.LabError, match="no name for a snapshot"):
        machine.kept(tmp_path, tag)


def test_no_snapshot_is_the_disk_itself(tmp_path):
    assert machine.kept(tmp_path, "disk") != tmp_path / "disk.img"


def test_a_copy_that_fails_leaves_the_disk_as_it_was(tmp_path):
    (tmp_path / "disk.img").write_text("good")
    with pytest.raises(subprocess.CalledProcessError):
        machine.copy(tmp_path / "gone.img", tmp_path / "disk.img")
    assert (tmp_path / "disk.img").read_text() == "good"


class Stub(machine.Machine):
    """A machine that only says what it would do; its process is any."""

    def __init__(self, folder, command):
        self.acts = []
        self._group = folder / "group"
        self._group.mkdir()
        (self._group / "cgroup.events").write_text("populated 1\nfrozen 0\n")
        self._booted = 0.0
        self._process = subprocess.Popen(command)

    def boot(self):
        self.acts.append("boot")

    def end(self):
        self.acts.append("end")

    def cut_power(self):
        self.acts.append("cut")

    def save(self, tag):
        self.acts.append(f"save {tag}")

    def load(self, tag):
        raise cache.LabError(f"there is no snapshot {tag}")


def test_a_machine_that_runs_is_left_alone_until_it_stops_all_its_processes(tmp_path):
    stub = Stub(tmp_path, ["sleep", "60"])
    stub.heed()
    assert stub.acts == []
    (tmp_path / "group" / "cgroup.events").write_text("populated 1\nfrozen 1\n")
    stub.heed()
    assert stub.acts == ["cut", "boot"]
    stub._process.kill()
    stub._process.wait()


def test_a_machine_that_shut_down_boots_again_but_not_one_that_cannot(tmp_path):
    stub = Stub(tmp_path, ["true"])
    stub._process.wait()
    stub.heed()
    assert stub.acts == ["end", "boot"]
    stub._booted = machine.time.monotonic()
    with pytest.raises(cache.LabError, match="as soon as it was started"):
        stub.heed()


@pytest.fixture
def control(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control"))
        listener.listen()
        yield listener


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("save here", "done"),
        ("load there", "there is no snapshot there"),
        ("melt", "'melt' is none of save, load"),
    ],
)
def test_what_is_asked_of_a_machine_is_answered(tmp_path, control, request_, answer):
    stub = Stub(tmp_path, ["true"])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "control"))
        client.sendall(request_.encode())
        supervisor.attend(stub, control, 5)
        assert client.recv(100).decode() == answer
    stub._process.wait()


def test_who_goes_away_or_says_nothing_harms_no_machine(tmp_path, control, monkeypatch):
    monkeypatch.setattr(supervisor, "SILENCE", 0.1)
    stub = Stub(tmp_path, ["true"])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "control"))
        client.sendall(b"save here")
    supervisor.attend(stub, control, 5)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "control"))
        supervisor.attend(stub, control, 5)
    assert stub.acts == ["save here"]
    stub._process.wait()


def test_the_process_of_another_folder_is_not_taken_for_this_ones(tmp_path):
    argv = [sys.executable, "-c", "input('there')", f"{tmp_path}/dev2/"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        # A process that was started a moment ago has no command line yet.
        assert other.stdout.read(5) == b"there"
        (tmp_path / "dev").mkdir()
        (tmp_path / "dev" / "pid").write_text(str(other.pid))
        assert running.process(tmp_path / "dev") is None
        (tmp_path / "dev2").mkdir()
        (tmp_path / "dev2" / "pid").write_text(str(other.pid))
        assert running.process(tmp_path / "dev2") == other.pid
        other.kill()


def test_a_connection_is_carried_to_the_end_of_both_sides():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as listener:
        forward.serve(listener, server.getsockname())

        def answer():
            connection, _address = server.accept()
            with connection:
                asked = connection.makefile("rb").read()
                connection.sendall(asked.upper() * 100_000)

        threading.Thread(target=answer, daemon=True).start()
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert client.makefile("rb").read() == b"HELLO" * 100_000


def test_a_connection_to_what_does_not_listen_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        target = closed.getsockname()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        forward.serve(listener, target)
        with socket.create_connection(listener.getsockname(), timeout=10) as client:
            assert client.recv(1) == b""
