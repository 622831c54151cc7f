# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Compose puts files into containers, by the Compose files that the containers' labels name (private to the
collection).

Only Compose itself reads Compose files: they include, extend and override each other. It is asked for places only; what
lies there is the container's to say.
"""

from __future__ import annotations

import json
import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from .._common.command import CommandError, run
from .._common.json import Json, items, mapping, text
from .._plan._documents.containers import COMPOSE, label

_AT_ONCE = 4
# A Compose file may name any other file, and a container may write it: also one without end.
_MEMORY = 512 << 20
_ENVIRONMENT = {
    # It needs no engine, but version 2.26 greets one, and the socket would wake it.
    "DOCKER_HOST": "unix:///dev/null",
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "0",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "0",
}


class _Project(NamedTuple):
    folder: str
    files: tuple[str, ...]


def targets(containers: list[Json]) -> dict[str, frozenset[str]]:
    """``{container ID: paths in it}``: where Compose puts configs and secrets; no paths where it cannot be asked."""
    projects = [_project(item) for item in containers]
    asked = sorted({project for project in projects if project})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        models = dict(zip(asked, pool.map(_model, asked)))
    return {
        str(item["Id"]): put(models[project] if project else {}, label(item, COMPOSE + "service"))
        for item, project in zip(containers, projects)
    }


def put(model: Json, service: str) -> frozenset[str]:
    """The paths in a service's containers, of what ``docker compose config`` says of a project.

    Those of configs and secrets with ``content`` or ``environment`` only: a ``file`` is mounted, ``external`` is Swarm's.
    """
    used = mapping(mapping(model.get("services")).get(service))
    return frozenset(
        _target(folder, mapping(use))
        for kind, folder in (("configs", "/"), ("secrets", "/run/secrets"))
        for use in items(used.get(kind))
        if _is_copied(mapping(mapping(model.get(kind)).get(text(mapping(use).get("source")))))
    )


def _is_copied(source: Json) -> bool:
    return bool(text(source.get("content")) or text(source.get("environment")))


def _target(folder: str, use: Json) -> str:
    path = posixpath.join(folder, text(use.get("target")) or text(use.get("source")))
    return "/" + posixpath.normpath(path).lstrip("/")


def _project(container: Json) -> _Project | None:
    """None for what Compose did not make, and where its files are not there (any more): stdin, other hosts."""
    folder = label(container, COMPOSE + "project.working_dir")
    files = tuple(label(container, COMPOSE + "project.config_files").split(","))
    is_there = folder.startswith("/") and all(map(_is_file, files))
    return _Project(folder, files) if is_there else None


def _is_file(path: str) -> bool:
    return path.startswith("/") and os.path.isfile(path)


def _model(project: _Project) -> Json:
    """What Compose makes of a project's files; empty when it cannot.

    Without a value of any variable or of any env file. Neither its output nor its errors may go anywhere: both hold secrets.
    """
    argv = [
        *("prlimit", "--data={0}".format(_MEMORY), "docker", "compose"),
        "--project-directory={0}".format(project.folder),
        # Its name changes no path, and may not be one that Compose takes.
        *("--project-name=compose", "--env-file=/dev/null"),
        *("--file={0}".format(path) for path in project.files),
        *("config", "--format=json", "--no-interpolate"),
    ]
    try:
        return mapping(json.loads(run(argv, env=_ENVIRONMENT).stdout))
    except (CommandError, ValueError, RecursionError):
        return {}
