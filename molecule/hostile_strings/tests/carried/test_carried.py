# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After the migration: each string arrived under Podman as it had under Docker, and none became anything but a string."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest

from ansible_collections.podshift.docker_to_podman.lab.shared import checks
from ansible_collections.podshift.docker_to_podman.molecule.hostile_strings import cases as strings

SEED = strings.chosen_seed()
CONTAINERS = strings.containers(SEED)
NAMES = [container.name for container in CONTAINERS]
CASES = strings.cases(SEED)
ENOUGH = 200

Written = dict[tuple[str, str], Any]
"""What the probes and the engines wrote, by container and by the file's name (docker.start, podman.inspect, ...)."""


@pytest.fixture(scope="module")
def written(host) -> Written:
    """All at once: a case must not cost a journey to the machine."""
    found: Written = {}
    for line in host.check_output(f"grep -H '' {strings.ROOT}/*/*.json").splitlines():
        path, _colon, content = line.partition(":")
        place = PurePosixPath(path)
        found[place.parent.name, place.stem] = json.loads(content)
    for item in checks.run_json(host, "podman inspect $(podman ps --all --quiet)"):
        found[item["Name"], "podman.inspect"] = item["Config"]["Labels"]
    return found


def given(written: Written, engine: str, case: strings.Case) -> str | None:
    """What the engine gave for a case, each byte as one character; None when it gave nothing."""
    role = {"label": "inspect", "health": "check"}.get(case.place, "start")
    seen = written.get((case.container, f"{engine}.{role}"))
    if seen is None:
        return None
    if case.place in ("argument", "health"):
        arguments = dict(enumerate(seen["arguments"][strings.SKIP :]))
        return arguments.get(int(case.key))
    if case.place == "label":
        return as_bytes(seen.get(case.key))
    if case.place == "variable":
        # Only the variables of the cases: each engine adds some of its own (container=podman, HOSTNAME, HOME).
        variables = dict(entry.partition("=")[::2] for entry in seen["environment"])
        return variables.get(as_bytes(case.key))
    return seen["mounts"].get(as_bytes(case.key)) if case.place == "mount" else seen[case.place]


def as_bytes(value: str | None) -> str | None:
    """Each byte as one character, as the probe writes it."""
    return None if value is None else value.encode().decode("latin-1")


def short(value: str | None) -> str:
    """Readable in a failure, whatever its length."""
    shown = ascii(value)
    return shown if len(shown) < 400 else f"{shown[:400]}... ({len(value or '')} bytes)"


def name_of(case: strings.Case) -> str:
    """The name of a test; the string itself only by its escapes."""
    return f"seed{SEED}-{case.container}-{case.place}-{ascii(case.key)[1:-1]}-{ascii(case.value)[:30]}"


def test_there_are_enough_cases():
    assert len(CASES) >= ENOUGH


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_string_is_the_same(case, written):
    docker, podman = given(written, "docker", case), given(written, "podman", case)
    if docker != as_bytes(case.value):
        pytest.fail(f"Asked for {short(as_bytes(case.value))}, Docker gave {short(docker)}", pytrace=False)
    if podman != docker:
        pytest.fail(f"Docker gave {short(docker)}, Podman {short(podman)}", pytrace=False)


@pytest.mark.parametrize("name", NAMES)
def test_no_argument_came_or_went(name, written):
    docker, podman = (
        written.get((name, f"{engine}.start"), {}).get("arguments", []) for engine in ("docker", "podman")
    )
    assert [len(value) for value in podman] == [len(value) for value in docker]


def test_all_run(host):
    states = host.run("systemctl is-active " + " ".join(NAMES)).stdout.split()
    assert dict(zip(NAMES, states, strict=True)) == dict.fromkeys(NAMES, "active")


def test_no_string_became_a_command(host):
    assert host.check_output("find / -xdev -name 'pwned*'") == ""
    view = "systemctl show --property=ExecStartPre,ExecStartPost,ExecReload,ExecCondition "
    assert host.check_output(view + " ".join(NAMES)).strip() == ""


def test_no_string_became_a_unit(host):
    units = host.check_output("find /etc/containers/systemd -type f -printf '%P\\n'").split("\n")
    files = [name + ending for name in NAMES for ending in (".container", ".containers.conf", ".dockerenv")]
    assert sorted(units) == sorted(["hostile.network", *files])
