# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a move does in Podman: secrets, units, services, and all of it taken back (private to the collection)."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Sequence

from .._common import deadlines, families
from .._common.command import CommandError, run
from .._common.errors import UserError
from .._common.json import Json
from .._docker.api import Docker
from .._host import cgroups
from .._plan._topics import put_files, restart
from .._plan.quadlet import barred, is_text_of, without_install
from .._podman import units
from .._podman.objects import OWNER_LABEL, exists, owner_of_secret

# Seconds: what Podman needs to remove containers and networks on a busy host; what it gets for that before Docker starts again;
# for what is left of it, once Docker runs; what stands for no limit; and how long what is given up is waited for, however long it
# may take otherwise.
_PODMANS_PART, _RESTS, _REMOVAL, _ENDLESS, _LONGEST_DISCARD = 20.0, 10.0, 60.0, 86400.0, 900.0
# Seconds: how long a start is watched, and between two looks.
_STARTING, _POLL = 20.0, 0.2

# Secrets


def require_own_secrets(record: Json) -> None:
    """UserError when Podman has a secret of this name that was not made from these containers."""
    for secret in record["secrets"]:
        if owner_of_secret(secret["name"]) not in (None, secret["owner"]):
            raise UserError(
                "Podman has a secret {0} that is not Docker's; rename it. Nothing was changed.".format(secret["name"])
            )


def create_secrets(record: Json, docker: Docker) -> None:
    """The values come from Docker and go through a pipe: no record and no process list shows them."""
    for secret in record["secrets"]:
        value = _value(secret, docker)
        label = "--label={0}={1}".format(OWNER_LABEL, secret["owner"])
        # Podman replaces a secret from 4.7 on only.
        if owner_of_secret(secret["name"]) == secret["owner"]:
            run(["podman", "secret", "rm", secret["name"]])
        run(["podman", "secret", "create", label, secret["name"], "-"], input=value)
    _sync(record["graph_root"])


def _value(secret: Json, docker: Docker) -> str | bytes:
    if "file" in secret:
        return docker.read_file(secret["owner"], secret["file"], put_files.LARGEST)
    entries = [entry.partition("=") for entry in docker.inspect(secret["owner"])["Config"]["Env"]]
    return str([value for variable, _equals, value in entries if variable == secret["env"]][-1])


def make_durable(record: Json) -> None:
    """Have what Podman has of an installed workload on the disk."""
    _sync(record["graph_root"], units.UNIT_DIR)


def _sync(*folders: str) -> None:
    """Wait for the disk, which Podman does not: after a power cut its list of secrets was an empty file."""
    run(["sync", "--file-system", *folders])


def remove_secrets(record: Json) -> None:
    """Remove those that were made from these containers."""
    owners = [container["id"] for container in record["containers"]]
    with deadlines.within(_REMOVAL):
        for secret in record["secrets"]:
            if owner_of_secret(secret["name"]) in owners:
                run(["podman", "secret", "rm", secret["name"]])


# Units


def asleep(texts: dict[str, str]) -> dict[str, str]:
    """The units such that nothing of them starts at a boot."""
    return {name: without_install(text) if units.is_unit(name) else text for name, text in texts.items()}


def bar_starts(texts: dict[str, str]) -> None:
    """Have nothing start the units: no boot, and no timer or person either. What runs goes on."""
    units.install({name: barred(text) for name, text in texts.items() if units.is_unit(name)})


def require_own_units(texts: dict[str, str]) -> None:
    """UserError when the place of a unit is taken by another."""
    for name, text in units.read(texts).items():
        if not is_text_of(text, texts[name]):
            path = "{0}/{1}".format(units.UNIT_DIR, name)
            raise UserError(
                "{0} exists and is not of this plan; move it away and run this again. Nothing was changed.".format(path)
            )


def are_asleep(record: Json) -> bool:
    return units.read(record["units"]) == asleep(record["units"])


def install(record: Json) -> None:
    """Install the units asleep. UserError or UnitError when systemd does not take them."""
    units.install(asleep(record["units"]))
    units.require_known(sorted(record["units"]))


def remove(record: Json) -> None:
    units.remove(record["units"])


def forget(record: Json) -> None:
    """Remove the units of what was given up, and all that Podman still has of them."""
    with deadlines.within(_REMOVAL):
        remove_rests(record)
    remove(record)


def are_removed(record: Json) -> bool:
    return not units.read(record["units"])


def to_enable(record: Json, settled: bool) -> dict[str, str]:
    """The units to write. In a settled workload what the administrator has changed since is theirs."""
    installed = units.read(record["units"])
    return {
        name: text
        for name, text in record["units"].items()
        if installed.get(name) != text and (not settled or name not in installed or is_text_of(installed[name], text))
    }


def enable(record: Json, settled: bool) -> Json:
    """Have the units start at a boot."""
    wanted = to_enable(record, settled)
    units.install(wanted)
    return {"units": sorted(wanted)}


# Services


def has_volumes(record: Json) -> bool:
    return all(service.is_active for service in units.services(_volume_services(record)).values())


def create_volumes(record: Json) -> None:
    """Have the services of volumes done while Docker still serves."""
    units.start(_volume_services(record))


def forget_volumes(record: Json) -> None:
    """Stop those services, which leaves the volumes as they are."""
    units.stop(_volume_services(record))


def _volume_services(record: Json) -> list[str]:
    return units.services_of(name for name in record["units"] if name.endswith(".volume"))


def start(record: Json) -> None:
    units.queue(record["services"])


def are_resumed(record: Json) -> bool:
    return not _unfinished(record)


def resume(record: Json) -> None:
    """Start what does not run, but for jobs that have done their work, or that no boot would start."""
    start_again(record, _unfinished(record))


def start_again(record: Json, names: Sequence[str]) -> None:
    """Start what ran before. UserError when systemd or Podman cannot: nobody tries a container again whose network failed."""
    # They ran, and systemd counts starts: one too many in a day is refused.
    units.forget_failures(names)
    begin = time.monotonic()
    units.queue(names)
    states = units.services(names)
    # What takes longer waits for something of its own, such as the health of another.
    while any(service.job for service in states.values()) and time.monotonic() < begin + _STARTING:
        time.sleep(_POLL)
        states = units.services(names)
    containers = {container["service"] for container in record["containers"]}
    down = [service for service in states.values() if _was_not_started(service, begin, service.name in containers)]
    if down:
        raise UserError("Podman does not run {0}.".format("; ".join(map(str, down))))


def _was_not_started(service: units.Service, begin: float, is_container: bool) -> bool:
    """Whether it is down for another reason than that its program has ended."""
    if not service.is_down or service.job:
        return False
    return service.started < begin or not is_container or service.is_podmans_failure


def _unfinished(record: Json) -> list[str]:
    policies = {
        item["service"]: restart.policy_name(item["policy"]) for item in record["containers"] if "policy" in item
    }
    return [
        name
        for name, service in units.services(record["services"]).items()
        if not (service.is_active or _has_done(service, policies.get(name, "")))
    ]


def _has_done(service: units.Service, policy: str) -> bool:
    return service.has_ended_well and (policy == "no" or (policy == "on-failure" and service.started > 0))


def require_unended(record: Json) -> None:
    """UserError when a job has ended since the record was made: Docker would do it once more."""
    states = units.services(record["running"])
    for item in record["containers"]:
        service = states.get(item["service"])
        if service and service.is_down and restart.is_for_once(item["policy"]):
            raise UserError("{0} has ended meanwhile; run this again.".format(item["name"]))


def stop(record: Json) -> Json:
    """Stop the services, and remove the networks that came with them: Docker needs their addresses. Returns the moment
    of the first request, in seconds of the epoch."""
    moment = {"at": time.time()}
    units.stop(units.services_of(record["units"]), _patience(record))
    remove_rests(record)
    _remove_bridges(record)
    return moment


def discard(record: Json) -> None:
    """The same for what is given up, whatever Podman does meanwhile. UserError unless it is proven that nothing of it runs
    any more, or is about to."""
    names = units.services_of(record["units"])
    try:
        units.stop(names, min(_patience(record), _LONGEST_DISCARD))
    except UserError:
        units.kill(names)
    # Rests of Podman keep nobody from Docker, and are removed with the units at the latest.
    with deadlines.within(_RESTS), suppress(CommandError):
        remove_rests(record)
    _remove_bridges(record)
    require_down(record)


def remove_rests(record: Json) -> None:
    """Remove what Podman has of services that are down: the pod, and the networks that came with them."""
    if record.get("pod"):
        # After a power cut its service is down, and Podman has it all the same.
        run(["podman", "pod", "rm", "--force", "--ignore", record["pod"]])
    for network in record["networks"]:
        if not network["existed"] and exists("network", network["name"]):
            _remove_network(network["name"], record)


def _remove_bridges(record: Json) -> None:
    for network in record["networks"]:
        # A container that could not be connected leaves Netavark's bridge behind, with the address that Docker needs.
        bridge = network["podman_bridge"]
        if bridge and not network["existed"] and _link_exists(bridge):
            run(["ip", "link", "delete", bridge, "type", "bridge"])


def _remove_network(name: str, record: Json) -> None:
    if run(["podman", "network", "rm", name], check=False).rc != 0:
        # Podman before 5.0 keeps containers over a power cut, and nobody removes the network of one.
        run(["podman", "rm", "--force", "--ignore", *(container["name"] for container in record["containers"])])
        run(["podman", "network", "rm", name])


def _patience(record: Json) -> float:
    """Seconds until all services have stopped: the longest of each layer, one layer after the other, and Podman's own part."""
    timeouts = {item["name"]: item.get("stop_timeout", 10) for item in record["containers"]}
    longest = [max((timeouts[name] for name in layer), default=0) for layer in record.get("layers", [list(timeouts)])]
    # Docker waits for ever where the timeout is negative, and so does its unit.
    return _ENDLESS if any(timeout < 0 for timeout in timeouts.values()) else sum(longest) + _PODMANS_PART


def up(record: Json) -> list[str]:
    """The names of the containers whose services are not down."""
    states = _not_down(record)
    return [container["name"] for container in record["containers"] if container["service"] in states]


def require_down(record: Json) -> None:
    """UserError unless it is proven that none of the containers runs under Podman, or is about to: no service that is up or
    waits for its turn, no process in the control group of a service, and nothing that this program could not end.

    Never both engines: two databases on one volume are worse than none.
    """
    names = units.services_of(record["units"])
    running = list(map(str, _not_down(record).values()))
    running += ["{0} waits for its turn".format(name) for name, service in units.services(names).items() if service.job]
    running += ["process {0} of {1} is left".format(*found) for found in cgroups.processes_in(names)]
    running += ["{0} cannot be ended, and may go on at any moment".format(name) for name in families.left()]
    if running:
        raise UserError("Podman still runs the workload: {0}.".format("; ".join(running)))


def _not_down(record: Json) -> dict[str, units.Service]:
    states = units.services([container["service"] for container in record["containers"]])
    return {name: service for name, service in states.items() if not service.is_down}


def _link_exists(name: str) -> bool:
    return run(["ip", "link", "show", "dev", name], check=False).rc == 0
