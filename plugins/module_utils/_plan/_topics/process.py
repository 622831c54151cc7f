# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's process gets: command, environment, user, name, signals, health checks (private to the collection)."""

from __future__ import annotations

import json
import shlex
from typing import Any, Sequence

from ..._common.json import LARGEST, Json, dig, mapping, strings, text
from .._documents.containers import COMPOSE, hostname
from .._tables.options import Setting
from ..model import is_carried
from ..quadlet import is_splittable, words
from ..unit_file import require_argument

LABEL_PREFIX = "podshift."
"""Put before Compose's labels: under their own names, Compose would take Podman's containers for its own."""

_ANONYMOUS_LABEL = "com.docker.volume.anonymous"
_SHELL = ["/bin/sh", "-c"]
_NANOSECONDS = 1000000000
_FOR_EVER = 2147483647
"""Seconds; Podman has no word for Docker's -1."""


def command(config: Json, image: Json) -> list[Setting]:
    """Entrypoint and command where they differ from the image's.

    An argument that no list can carry (empty, or a lone ``;``) moves the whole vector into the entry point, which is
    JSON.
    """
    entrypoint, arguments = strings(config.get("Entrypoint")), strings(config.get("Cmd"))
    same_entrypoint = entrypoint == strings(image.get("Entrypoint"))
    for argument in arguments if is_splittable(arguments) else ():
        require_argument(argument, "Exec=")
    if same_entrypoint and arguments == strings(image.get("Cmd")):
        return []
    if same_entrypoint and arguments and is_splittable(arguments):
        return [("exec", words(arguments))]
    if entrypoint and is_splittable(arguments):
        return [("entrypoint", _json(entrypoint))] + ([("exec", words(arguments))] if arguments else [])
    return [("entrypoint", _json(entrypoint + arguments))]


def environment(config: Json, image: Json, secret: Sequence[Json]) -> list[Setting]:
    """Variables that the image does not set alike; a name without ``=`` unsets the image's, a secret is referred to."""
    inherited = set(strings(image.get("Env")))
    hidden = {item["env"]: item["name"] for item in secret if "env" in item}
    entries = [(entry, *entry.partition("=")) for entry in strings(config.get("Env"))]
    # Podman's own mark, by which programs choose another way to work.
    settings = (
        [] if any(name == "container" for _entry, name, _equals, _value in entries) else [("unset_env", "container")]
    )
    for entry, name, separator, _value in entries:
        if name in hidden:
            settings.append(("secret", "{0},type=env,target={1}".format(hidden[name], name)))
        elif entry not in inherited:
            settings.append(("env" if separator else "unset_env", entry))
    return settings


def labels(own: Any, inherited: Any = None) -> list[Setting]:
    """Labels that are not inherited; Compose's get a prefix."""
    return [
        ("label", "{}{}={}".format(LABEL_PREFIX if key.startswith(COMPOSE) else "", key, text(value)))
        for key, value in sorted(mapping(own).items())
        if mapping(inherited).get(key) != value and key != _ANONYMOUS_LABEL
    ]


def identity(container: Json, image: Json) -> list[Setting]:
    """User, working directory, host name and stop signal where they differ from the image's, and the stop timeout."""
    config = mapping(container.get("Config"))
    settings = [
        (option, text(config.get(key)))
        for option, key in (("user", "User"), ("workdir", "WorkingDir"), ("stop_signal", "StopSignal"))
        if config.get(key) and config.get(key) != image.get(key)
    ]
    if hostname(container):
        settings.append(("hostname", hostname(container)))
    timeout = config.get("StopTimeout")
    if isinstance(timeout, int):
        settings.append(("stop_timeout", str(timeout if timeout >= 0 else _FOR_EVER)))
    return settings


def health_test(config: Json) -> list[str]:
    """The health check's test, empty when there is none: Docker has merged the image's into it."""
    return strings(dig(config, "Healthcheck.Test"))


def has_health_check(config: Json) -> bool:
    """True when Docker checks the container's health."""
    return bool(health_test(config)) and health_test(config) != ["NONE"]


def health(config: Json) -> list[Setting]:
    """The health check in the form that every Podman from 4.5 on reads alike (facts on HealthConfig.Test)."""
    test = health_test(config)
    if not test:
        return []
    if test == ["NONE"]:
        return [("health_cmd", "none")]
    check = mapping(config.get("Healthcheck"))
    durations = [("health_interval", "Interval"), ("health_timeout", "Timeout"), ("health_start_period", "StartPeriod")]
    settings = [("health_cmd", _health_command(test, strings(config.get("Shell")) or _SHELL))]
    settings += [(option, _duration(check[key])) for option, key in durations if _is_positive(check.get(key))]
    return settings + ([("health_retries", str(check["Retries"]))] if _is_positive(check.get("Retries")) else [])


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and 0 < value < LARGEST


def _health_command(test: list[str], shell: list[str]) -> str:
    if test[0] == "CMD-SHELL":
        return _json([*shell, " ".join(test[1:])])
    if len(test) == 2:
        # One word in brackets would be given to a shell, and one without is split at blanks.
        is_one = is_carried(test[1]) and test[1].split() == [test[1]]
        return f"CMD {test[1]}" if is_one else _json(["/bin/sh", "-c", "exec " + shlex.quote(test[1])])
    return _json(test[1:])


def _duration(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return f"{nanoseconds}ns" if rest else f"{seconds}s"


def _json(arguments: list[str]) -> str:
    return json.dumps(arguments, separators=(",", ":"))
