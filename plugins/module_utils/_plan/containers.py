# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's own settings become, one function for each topic (private to the collection).

Every function is pure: documents of Docker in, settings of the option table out.
"""

from __future__ import annotations

import json
from typing import Any, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    Json,
    dig,
    items,
    mapping,
    strings,
    text,
)
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.options import Setting
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.quadlet import is_splittable, words

LABEL_PREFIX = "podshift."
"""Put before Compose's labels: under their own names, Compose would take Podman's containers for its own."""

COMPOSE = "com.docker.compose."
_ANONYMOUS_LABEL = "com.docker.volume.anonymous"

_NANOSECONDS = 1000000000


def name_of(container: Json) -> str:
    """The name without the slash that the API puts before it."""
    return text(container.get("Name")).lstrip("/")


def label(container: Json, key: str) -> str:
    """A label of the container, empty when it has none of that name."""
    return text(mapping(dig(container, "Config.Labels")).get(key))


def is_running(container: Json) -> bool:
    """True for what Docker runs or keeps trying to run."""
    state = mapping(container.get("State"))
    return state.get("Running") is True or state.get("Restarting") is True


def command(config: Json, image: Json) -> list[Setting]:
    """Entrypoint and command where they differ from the image's.

    An argument that no list can carry (empty, or a lone ``;``) moves the whole vector into the entry point, which is
    JSON.
    """
    entrypoint, arguments = strings(config.get("Entrypoint")), strings(config.get("Cmd"))
    same_entrypoint = entrypoint == strings(image.get("Entrypoint"))
    if same_entrypoint and arguments == strings(image.get("Cmd")):
        return []
    if same_entrypoint and arguments and is_splittable(arguments):
        return [("exec", words(arguments))]
    if entrypoint and is_splittable(arguments):
        return [("entrypoint", _json(entrypoint))] + ([("exec", words(arguments))] if arguments else [])
    return [("entrypoint", _json(entrypoint + arguments))]


def environment(config: Json, image: Json, secret: Sequence[Json]) -> list[Setting]:
    """Variables that the image does not set alike; a name without ``=`` unsets the image's, a secret one is referred to."""
    inherited, hidden = set(strings(image.get("Env"))), {item["env"]: item["name"] for item in secret}
    settings = []
    for entry in strings(config.get("Env")):
        name, separator, _value = entry.partition("=")
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


def identity(config: Json, image: Json) -> list[Setting]:
    """User, working directory and stop signal where they differ from the image's, and the stop timeout."""
    settings = [
        (option, text(config.get(key)))
        for option, key in (("user", "User"), ("workdir", "WorkingDir"), ("stop_signal", "StopSignal"))
        if config.get(key) and config.get(key) != image.get(key)
    ]
    timeout = config.get("StopTimeout")
    return settings + ([("stop_timeout", str(timeout))] if isinstance(timeout, int) else [])


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
    settings = [("health_cmd", _health_command(test))]
    settings += [(option, _duration(check[key])) for option, key in durations if isinstance(check.get(key), int)]
    retries = check.get("Retries")
    return settings + ([("health_retries", str(retries))] if isinstance(retries, int) and retries else [])


def _health_command(test: list[str]) -> str:
    if test[0] == "CMD-SHELL":
        return _json(["/bin/sh", "-c", " ".join(test[1:])])
    return f"CMD {test[1]}" if len(test) == 2 else _json(test[1:])


def _duration(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return f"{nanoseconds}ns" if rest else f"{seconds}s"


def ports(container: Json) -> tuple[list[dict[str, Any]], bool]:
    """Published ports as {host_ip, host_port, proto, container_port}, and whether one was chosen by Docker.

    From HostConfig.PortBindings: NetworkSettings.Ports lists each twice, for IPv4 and IPv6. A port that Docker chose
    is the one in use now.
    """
    published, chosen = [], False
    in_use = mapping(dig(container, "NetworkSettings.Ports"))
    for spec, bindings in sorted(mapping(dig(container, "HostConfig.PortBindings")).items()):
        inner, _slash, proto = spec.partition("/")
        for number, binding in enumerate(items(bindings)):
            port = text(mapping(binding).get("HostPort"))
            if port in ("", "0"):
                current = items(in_use.get(spec))
                port = text(mapping(current[number]).get("HostPort")) if number < len(current) else ""
                chosen = True
            if port.isdigit() and inner.isdigit():
                published.append(
                    {
                        "host_ip": text(mapping(binding).get("HostIp")),
                        "host_port": int(port),
                        "proto": proto or "tcp",
                        "container_port": int(inner),
                    }
                )
    return published, chosen


def publish(port: dict[str, Any]) -> Setting:
    """A published port as Podman writes it."""
    address = port["host_ip"]
    address = f"[{address}]:" if ":" in address else address and address + ":"
    protocol = "" if port["proto"] == "tcp" else "/" + port["proto"]
    return "publish", "{}{}:{}{}".format(address, port["host_port"], port["container_port"], protocol)


def restart(container: Json) -> list[tuple[str, str]]:
    """The [Service] lines of the restart policy. systemd must not give up where Docker would not."""
    policy = mapping(dig(container, "HostConfig.RestartPolicy"))
    name, limit = text(policy.get("Name")), policy.get("MaximumRetryCount")
    if name in ("", "no"):
        return [("Restart", "no")]
    return [
        ("Restart", "on-failure" if name == "on-failure" else "always"),
        ("RestartSec", "100ms"),
        ("RestartSteps", "10"),
        ("RestartMaxDelaySec", "60s"),
    ] + ([("SuccessExitStatus", "143")] if name != "on-failure" or not limit else [])


def start_limit(container: Json) -> list[tuple[str, str]]:
    """The [Unit] lines that say how often systemd tries."""
    policy = mapping(dig(container, "HostConfig.RestartPolicy"))
    retries = policy.get("MaximumRetryCount")
    if policy.get("Name") == "on-failure" and isinstance(retries, int) and retries > 0:
        return [("StartLimitIntervalSec", "1d"), ("StartLimitBurst", str(retries + 1))]
    return [("StartLimitIntervalSec", "0")]


def starts_at_boot(container: Json) -> bool:
    """Whether Docker would start it at boot: a policy that says so, and not stopped by the user."""
    policy = text(dig(container, "HostConfig.RestartPolicy.Name"))
    return policy in ("always", "unless-stopped") and is_running(container)


def _json(arguments: list[str]) -> str:
    return json.dumps(arguments, separators=(",", ":"))
