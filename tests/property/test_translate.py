# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever an inventory holds, the plan is whole, or says in a sentence why it is not."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.masking import masked_plan
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import PlanError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.report import report
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    inventory,
    service,
    volume_mount,
)

VERSIONS = ("4.4.1", "4.9.3", "5.4.2", "5.8.6", "6.1.0")
PROFILE = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(container|pod|network|volume)\Z")

TEXT = st.text(max_size=20) | st.sampled_from(["", ";", "\n[Service]\nExecStart=/bin/touch /x", "../../etc/x", "%n$X"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def host() -> Any:
    """A host on which a bit of everything runs."""
    web = service(
        "blog",
        "web",
        HostConfig__PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
        Mounts=[volume_mount("data")],
        HostConfig__Tmpfs={"/tmp": "size=1m"},
        HostConfig__Ulimits=[{"Name": "nofile", "Soft": 1, "Hard": 2}],
        HostConfig__Devices=[{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}],
        HostConfig__DeviceRequests=[{"Driver": "cdi", "DeviceIDs": ["v.com/c=1"], "Capabilities": None}],
        HostConfig__Mounts=[{"Type": "tmpfs", "Target": "/b", "TmpfsOptions": {"SizeBytes": 5, "Mode": 511}}],
        HostConfig__SecurityOpt=["no-new-privileges", "label=type:x", 'seccomp={"a": 1}'],
        HostConfig__LogConfig={"Type": "json-file", "Config": {"max-size": "1m"}},
        HostConfig__ExtraHosts=["a:192.0.2.1"],
        HostConfig__Sysctls={"net.core.somaxconn": "1"},
        Config__Healthcheck={"Test": ["CMD-SHELL", "true"], "Interval": 10**9},
        Config__ExposedPorts={"80/tcp": {}},
    )
    vpn = container("vpn", HostConfig__Links=["/cache:/vpn/db"])
    inside = container("inside", HostConfig__NetworkMode="container:" + vpn["Id"])
    cache = container("cache", GraphDriver={"Name": "overlay2", "Data": {"UpperDir": "/up", "LowerDir": "/a:/b"}})
    known = inventory([web, service("blog", "db"), vpn, inside, cache])
    known["engine"]["config"] = {"daemon_json": {"dns": ["192.0.2.1"]}, "flags": ["--init"]}
    known["host"] = {"units": ["ssh.service"], "systemd": 257, "podman": {"containers": ["x"]}}
    known["processes"] = {
        web["Id"]: {"listening": [{"proto": "tcp", "address": "0.0.0.0", "port": 80}], "limits": {"nofile": [1, 2]}}
    }
    known["changes"] = {web["Id"]: {"size": 5 << 20, "largest": [{"path": "/x", "bytes": 5}], "layers": ["/up", "/a"]}}
    return known


HOST = host()
POLICY = {"containers": {"cache": {"persist": ["/srv/a b:%"]}, "blog-web-1": {"persist": ["/x"], "commit": True}}}


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON document."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in children for place in places(value, (*path, key)))]


PLACES = [place for place in places(HOST) if place]


def damaged(place: tuple[Any, ...], value: Any) -> Any:
    """The inventory with another value at one place."""
    document = copy.deepcopy(HOST)
    node = document
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return document


def planned(document: Any, policy: Any = None, version: str = "5.4.2") -> Any:
    """The plan; None when the core says in a sentence why there is none."""
    message = "no sentence"
    try:
        return make_plan(document, policy, version)
    except PlanError as error:
        message = str(error)
    assert message.endswith((".", ")"))
    return None


@PROFILE
@given(st.sampled_from(PLACES), JSON, st.sampled_from(VERSIONS), st.sampled_from(["copy", "adopt"]))
def test_any_value_at_any_place_gives_a_whole_plan_or_a_sentence(place, value, version, strategy):
    document = damaged(place, value)
    made = planned(document, {**POLICY, "strategy": strategy}, version)
    if made is None:
        return
    assert json.loads(json.dumps(made)) == made
    assert report(made)
    assert masked_plan(made)
    for workload in made["workloads"]:
        for name, unit in workload["units"].items():
            if name.endswith((".seccomp.json", ".containers.conf", ".dockerenv")):
                continue
            assert FILE_NAME.match(name), name
            assert all(re.match(r"(\[[A-Z][a-z]+\]|[A-Za-z0-9]+=.*|)\Z", line) for line in unit.split("\n")), unit
            assert unit.count("\n[Service]") <= 1
    moving = [item for workload in made["workloads"] for item in workload["containers"]]
    blocked = any(item["severity"] == "blocker" for item in made["findings"])
    # What is not planned is named by a blocker: nothing vanishes.
    assert blocked or len(moving) == len(document["containers"])


@PROFILE
@given(JSON, JSON)
def test_any_json_is_an_inventory_or_a_sentence(document, policy):
    planned(document, policy)


@PROFILE
@given(st.sampled_from(PLACES))
def test_what_is_missing_is_no_traceback(place):
    document = copy.deepcopy(HOST)
    node = document
    for key in place[:-1]:
        node = node[key]
    del node[place[-1]]
    planned(document, POLICY)
