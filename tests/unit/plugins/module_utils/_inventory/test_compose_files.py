# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compose is asked where it puts files; labels and Compose files are hostile."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import deadlines
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.command import CommandError, Completed
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common.deadlines import Deadline
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._inventory import compose_files
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.fake_docker import container

RECORDED = [
    json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[4] / "golden" / "compose").glob("*.json"))
]
APP = {
    *("/short", "/etc/app/app.conf", "/etc/relative.conf", "/etc/untidy.conf", "/etc/${VARIABLE}", "/etc/by_variable"),
    *("/etc/base.conf", "/etc/override.conf", "/run/secrets/token", "/run/secrets/other", "/etc/token"),
}


@pytest.mark.parametrize("recorded", RECORDED, ids=[recorded["compose"] for recorded in RECORDED])
@pytest.mark.parametrize(
    ("service", "paths"),
    [("app", APP), ("plain", set()), ("optional", {"/short"}), ("included", {"/inner"}), ("unknown", set())],
)
def test_what_compose_copies_and_no_more(recorded, service, paths):
    assert compose_files.put(recorded["config"], service) == paths


CONFIG = {"c": {"content": "x"}}


@pytest.mark.parametrize(
    ("use", "path"),
    [
        ({"source": "c", "target": "../../up"}, "/up"),
        ({"source": "c", "target": "//two"}, "/two"),
        ({"source": "c", "target": 7}, "/c"),
    ],
)
def test_a_path_is_as_the_container_has_it(use, path):
    assert compose_files.put({"configs": CONFIG, "services": {"a": {"configs": [use]}}}, "a") == {path}


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"services": []},
        {"services": {"a": None}},
        {"services": {"a": {"configs": {"c": 1}}}},
        {"services": {"a": {"configs": ["c", None, {"source": []}, {"source": "other"}]}}},
        {"configs": {"c": {"content": ""}}, "services": {"a": {"configs": [{"source": "c"}]}}},
    ],
)
def test_damaged_answers_are_no_traceback(model):
    assert compose_files.put({"configs": CONFIG, **model}, "a") == set()


def labelled(number, folder, *files, service="app"):
    item = container("c{0}".format(number), number)
    labels = {
        "com.docker.compose.project.working_dir": str(folder),
        "com.docker.compose.project.config_files": ",".join(map(str, files)),
        "com.docker.compose.service": service,
    }
    return {**item, "Config": {**item["Config"], "Labels": labels}}


@pytest.fixture
def compose(monkeypatch):
    """Compose's answers, one for all; what it was called with."""

    def run(argv, env):
        run.calls.append((argv, env))
        if isinstance(run.answer, Exception):
            raise run.answer
        return Completed(0, run.answer, "")

    run.calls, run.answer = [], json.dumps(RECORDED[0]["config"])
    monkeypatch.setattr(compose_files, "run", run)
    return run


@pytest.fixture
def files(tmp_path):
    found = [tmp_path / "compose.yml", tmp_path / "override.yml"]
    for path in found:
        path.write_text("")
    return found


def test_each_project_is_asked_once_without_network_engine_and_values(compose, tmp_path, files):
    found = compose_files.targets(
        [
            labelled(1, tmp_path, *files),
            labelled(2, tmp_path, *files, service="optional"),
            {**container("plain", 3), "Config": {"Labels": None}},
        ]
    )
    assert [found[container("", number)["Id"]] for number in (1, 2, 3)] == [APP, {"/short"}, set()]
    ((argv, env),) = compose.calls
    assert argv[2:] == [
        *("docker", "compose", "--project-directory={0}".format(tmp_path), "--project-name=compose"),
        *("--env-file=/dev/null", "--file={0}".format(files[0]), "--file={0}".format(files[1])),
        *("config", "--format=json", "--no-interpolate"),
    ]
    assert env == {
        "DOCKER_HOST": "unix:///dev/null",
        "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "0",
        "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "0",
    }


def test_what_is_no_file_of_the_host_is_not_asked_for(compose, tmp_path, files):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    names = ["-", "", "--help", "compose.yml", "/nowhere.yml", "oci://registry/app", tmp_path, pipe, "/\0", "/\ud800"]
    containers = [labelled(number, tmp_path, files[0], name) for number, name in enumerate(names)]
    containers += [labelled(100 + number, name, files[0]) for number, name in enumerate(("", "-", "srv", "--help"))]
    assert set(compose_files.targets(containers).values()) == {frozenset()}
    assert compose.calls == []


@pytest.mark.parametrize(
    "answer", [CommandError("it failed"), ValueError("embedded null byte"), "", "{", "[]", "[" * 99999]
)
def test_where_compose_cannot_answer_times_have_to_tell(compose, tmp_path, files, answer):
    compose.answer = answer
    assert set(compose_files.targets([labelled(1, tmp_path, *files)]).values()) == {frozenset()}
    assert len(compose.calls) == 1


def test_a_compose_that_hangs_is_ended(tmp_path, monkeypatch, files):
    (tmp_path / "prlimit").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "prlimit").chmod(0o755)
    monkeypatch.setenv("PATH", "{0}:{1}".format(tmp_path, os.environ["PATH"]))
    monkeypatch.setattr(deadlines, "ROWS", [((), Deadline(0.2), "")])
    assert set(compose_files.targets([labelled(1, tmp_path, *files)]).values()) == {frozenset()}


@pytest.mark.parametrize("name", ["/\0", "/\ud800"])
def test_a_folder_that_has_no_name_is_no_traceback(name, files):
    assert set(compose_files.targets([labelled(1, name, files[0])]).values()) == {frozenset()}
