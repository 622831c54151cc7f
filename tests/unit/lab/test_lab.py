"""The lab's decisions: what is built again, how a machine is started, what is cleaned up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "lab"))

from lablib import boots, cache, emulator, image, instance, qemu, running

MACHINE = {"memory": 4096, "cpus": 2}
TCG = ["qemu", "-accel", "tcg"]


@pytest.fixture(autouse=True)
def lab_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PODSHIFT_LAB_CACHE", str(tmp_path / "cache"))
    return cache.root()


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "start").write_text("#!/bin/sh\n")
    return folder


def replace_content(folder):
    (folder / "start").write_text("#!/bin/bash\n")


def rename(folder):
    (folder / "start").rename(folder / "begin")


def make_executable(folder):
    (folder / "start").chmod(0o755)


def add(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "more").write_text("")


@pytest.mark.parametrize("change", [replace_content, rename, make_executable, add])
def test_every_change_of_an_input_is_a_new_key(sources, change):
    before = cache.key(MACHINE, [sources])
    change(sources)
    assert cache.key(MACHINE, [sources]) != before


def test_a_changed_value_is_a_new_key(sources):
    assert cache.key(MACHINE, [sources]) != cache.key({**MACHINE, "memory": 2048}, [sources])


def test_what_python_compiled_and_where_the_checkout_lies_change_no_key(sources, tmp_path):
    before = cache.key(MACHINE, [sources])
    (sources / "__pycache__").mkdir()
    (sources / "__pycache__" / "x.pyc").write_text("")
    (tmp_path / "elsewhere").mkdir()
    moved = sources.rename(tmp_path / "elsewhere" / "sources")
    assert cache.key(MACHINE, [moved]) == before


def test_a_layer_is_built_once():
    built = []
    for _time in range(2):
        path = cache.layer("boot", "debian13", "0" * 16, built.append)
    assert len(built) == 1
    assert path.name == "boot-debian13-" + "0" * 16


def test_a_failed_build_leaves_nothing(lab_cache):
    def fail(work):
        (work / "half").write_text("")
        raise cache.LabError("no mirror")

    with pytest.raises(cache.LabError, match="no mirror"):
        cache.layer("boot", "debian13", "0" * 16, fail)
    assert [path.name for path in lab_cache.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(("age", "used", "stays"), [(10, False, True), (10**6, True, True), (10**6, False, False)])
def test_layers_go_when_they_are_old_and_no_machine_runs_on_them(lab_cache, age, used, stays):
    old = lab_cache / ("saved-debian13-" + "a" * 16)
    old.mkdir()
    os.utime(old, (time.time() - age,) * 2)
    record = lab_cache / "instances" / "dev" / "instance.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"layers": [old.name] if used else []}))
    cache.layer("saved", "debian13", "b" * 16, lambda work: None)
    assert old.exists() == stays


def value_after(argv, option):
    return argv[argv.index(option) + 1]


def test_a_machine_reaches_no_network_and_is_reached_by_its_forwards():
    argv = qemu.command(MACHINE, TCG, Path("/run"), Path("/boot"), {22: 40001, 8080: 40002})
    assert value_after(argv, "-netdev") == (
        "user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:40001-:22,hostfwd=tcp:127.0.0.1:40002-:8080"
    )
    assert "-no-reboot" not in argv
    assert "-incoming" not in argv


def test_a_saved_machine_differs_from_a_booted_one_only_by_its_state():
    booted = qemu.command(MACHINE, TCG, Path("/run"), Path("/boot"), {22: 1})
    loaded = qemu.command(MACHINE, TCG, Path("/run"), Path("/boot"), {22: 1}, Path("/state file"))
    assert loaded == [*booted, "-incoming", "exec:cat '/state file'"]


@pytest.mark.parametrize(
    ("accelerator", "own", "options"),
    [("kvm", "7.2.22", ["-accel", "kvm", "-cpu", "host"]), ("tcg", "10.0.3", emulator.EMULATION)],
)
def test_this_machines_qemu_runs_what_it_runs_well(monkeypatch, accelerator, own, options):
    monkeypatch.setattr(qemu, "accelerator", lambda _boot: accelerator)
    monkeypatch.setattr(qemu, "version", lambda _program: own)
    chosen = emulator.choose(Path("/boot"))
    assert chosen.argv == ["qemu-system-x86_64", *options]
    assert (chosen.version, chosen.layers) == (own, [])


def test_a_qemu_that_emulates_badly_is_replaced_by_a_layer_with_a_newer_one(monkeypatch):
    monkeypatch.setattr(qemu, "accelerator", lambda _boot: "tcg")
    monkeypatch.setattr(qemu, "version", lambda program: "7.2.22" if program == [qemu.PROGRAM] else "10.0.13")
    monkeypatch.setattr(emulator, "_build", lambda work: (work / "usr").mkdir())
    chosen = emulator.choose(Path("/boot"))
    [layer] = chosen.layers
    assert layer.name.startswith("qemu-trixie-")
    assert chosen.argv[0] == str(layer / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    assert chosen.version == "10.0.13"
    assert value_after(chosen.argv, "-cpu") == "Nehalem"


MACHINES = sorted(path.stem for path in (image.LAB / "machines").glob("*.yml"))


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_is_defined_completely(name):
    machine = image.definition(name)
    assert set(machine) == {"suite", "memory", "cpus", "disk", "packages", "repository", "applications"}
    assert {"docker.io", "openssh-server", "python3"} <= set(machine["packages"])
    assert {"podman", "rsync"} <= set(machine["repository"])
    assert not set(machine["packages"]) & set(machine["repository"])


@pytest.mark.parametrize(("compose", "said"), [("echo 2.26.1", "2.26.1"), ("echo no such command >&2; exit 1", "none")])
def test_a_machine_without_compose_says_its_versions_too(tmp_path, compose, said):
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n[ $1 = version ] && echo 20.10.24 && exit\n{compose}\n")
    docker.chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", boots.VERSIONS], env=path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[1:] == ["20.10.24", said]


def test_ports_are_free_and_different():
    ports = running.free_ports(20)
    assert len(set(ports)) == 20
    assert min(ports) > 1023


@pytest.mark.parametrize("name", ["", "../dev", "a/b", "-dev", "a b", "x" * 50])
def test_a_name_cannot_leave_the_folder_of_instances(name):
    with pytest.raises(cache.LabError, match="no name for an instance"):
        instance.folder_of(name)


def test_nothing_runs_where_only_a_stale_record_of_a_process_is(lab_cache):
    folder = instance.folder_of("dev")
    folder.mkdir(parents=True)
    (folder / "pid").write_text(str(os.getpid()))
    assert running.process(folder) is None
    assert instance.names() == []
    with pytest.raises(cache.LabError, match="dev does not run"):
        instance.info("dev")
