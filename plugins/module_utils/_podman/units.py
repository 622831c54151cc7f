# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quadlet unit files and the services systemd makes of them (private to the collection)."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Collection, Iterable, Mapping, NamedTuple, Sequence

from .._common.command import run
from .._common.errors import UserError
from .._common.files import remove_file, sync_folder, write_file

UNIT_DIR = "/etc/containers/systemd"
GENERATOR = "/usr/lib/systemd/system-generators/podman-system-generator"

# podman-systemd.unit(5): what the generator puts behind the name, by type of unit.
_SUFFIXES = {"container": "", "pod": "-pod", "network": "-network", "volume": "-volume", "image": "-image"}
_UNIT_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.@-]{0,200})\.(container|pod|network|volume|image)\Z")
# What units refer to lies beside them: Quadlet reads no file of another type.
_COMPANION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,200}\.(seccomp\.json|containers\.conf|dockerenv)\Z")
# Containers see it, with the mode that Docker gives it; all else is for root alone.
_MODES = {".dockerenv": 0o755}
_NO_COMPLAINT = "Loading source unit file"
_GENERATED = "/run/systemd/generator/"
_PROPERTIES = (
    "Id,LoadState,FragmentPath,ActiveState,SubState,Result,NRestarts,ExecMainStatus,Job,ExecMainStartTimestampMonotonic,"
    "ActiveEnterTimestampMonotonic"
)
# Seconds. Each service can be in the middle of several programs, which end one after the other.
_KILLING, _KILL_PAUSE = 20.0, 0.3
# podman-run(1): podman's own failure, a command that cannot be invoked, a command that is not found.
_PODMAN_FAILURES = (125, 126, 127)


class UnitError(UserError):
    """A unit cannot be installed, or systemd does not take it. The message says what to do."""


class Service(NamedTuple):
    """What systemd says about a service; ``job`` is True while one is queued for it, ``started`` is when its program was last
    started, and ``active_since`` when it last became active, in seconds of the monotonic clock, 0 when not in this boot."""

    name: str
    load: str = ""
    path: str = ""
    active: str = ""
    sub: str = ""
    result: str = ""
    restarts: int = 0
    status: int = 0
    job: bool = False
    started: float = 0.0
    active_since: float = 0.0

    @property
    def is_active(self) -> bool:
        return self.active == "active"

    @property
    def is_down(self) -> bool:
        return self.active in ("inactive", "failed")

    @property
    def has_ended_well(self) -> bool:
        """True also of what was never started."""
        return self.active == "inactive" and self.result == "success" and not self.job

    @property
    def is_hopeless(self) -> bool:
        """True when waiting does not help: it failed, ended, or Podman itself cannot run it again and again."""
        if "auto-restart" in self.sub:
            return self.restarts > 1 and self.status in _PODMAN_FAILURES
        return self.active == "failed" or (self.active == "inactive" and not self.job)

    @property
    def is_podmans_failure(self) -> bool:
        """True when Podman itself could not run it, whatever it would have done."""
        return self.active == "failed" and self.status in _PODMAN_FAILURES

    def __str__(self) -> str:
        return "{0} is {1} ({2}, result {3})".format(self.name, self.active, self.sub, self.result)


def service_of(unit: str) -> str:
    """``blog.pod`` -> ``blog-pod.service``. UnitError for a name that must not become a file."""
    found = _UNIT_NAME.match(unit)
    if not found:
        raise UnitError("{0!r} is not the name of a Quadlet unit; make the plan again.".format(unit))
    return "{0}{1}.service".format(found.group(1), _SUFFIXES[found.group(2)])


def is_unit(name: str) -> bool:
    """Whether a file is a unit; it is none when a unit refers to it."""
    return not _COMPANION.match(name)


def services_of(units: Iterable[str]) -> list[str]:
    """The services of those files that are units. UnitError for a name that must not become a file."""
    return [service_of(unit) for unit in units if is_unit(unit)]


def read(units: Iterable[str], folder: str = UNIT_DIR) -> dict[str, str]:
    """The texts of those units that are installed."""
    paths = {name: Path(folder, name) for name in units}
    services_of(paths)
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items() if path.is_file()}


def install(units: Mapping[str, str], folder: str = UNIT_DIR) -> None:
    """Write the units, each atomically and root-only, and have systemd take them in."""
    services_of(units)
    for name, text in units.items():
        write_file(str(Path(folder, name)), text, mode=_MODES.get(Path(name).suffix, 0o600))
    reload_systemd()


def remove(units: Collection[str], folder: str = UNIT_DIR) -> None:
    """Remove the units that are there and have systemd forget them and their failures."""
    names = services_of(units)
    for name in units:
        remove_file(Path(folder, name))
    if Path(folder).is_dir():
        sync_folder(Path(folder))
    reload_systemd()
    # Not when they are stopped: until they go, what has failed is told by that.
    forget_failures(names)


def forget_failures(names: Sequence[str]) -> None:
    """Have systemd forget that the services failed, and how often they were started."""
    # Without a name it would be all of the host.
    if names:
        run(["systemctl", "reset-failed", "--", *names], check=False)


def reload_systemd() -> None:
    run(["systemctl", "daemon-reload"])


def services(names: Sequence[str]) -> dict[str, Service]:
    """What systemd says about the services."""
    if not names:
        return {}
    shown = run(["systemctl", "show", "--property=" + _PROPERTIES, "--", *names]).stdout
    return {service.name: service for service in parse_services(shown)}


def parse_services(shown: str) -> list[Service]:
    """The output of ``systemctl show``: blocks of KEY=VALUE, one for each service."""
    found = []
    for values in blocks(shown):
        found.append(
            Service(
                values.get("Id", ""),
                values.get("LoadState", ""),
                values.get("FragmentPath", ""),
                values.get("ActiveState", ""),
                values.get("SubState", ""),
                values.get("Result", ""),
                _number(values.get("NRestarts", "")),
                _number(values.get("ExecMainStatus", "")),
                _number(values.get("Job", "")) > 0,
                _number(values.get("ExecMainStartTimestampMonotonic", "")) / 1e6,
                _number(values.get("ActiveEnterTimestampMonotonic", "")) / 1e6,
            )
        )
    return found


def blocks(shown: str) -> list[dict[str, str]]:
    """The properties of each unit in the output of ``systemctl show``."""
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.strip().split("\n\n")
    ]


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def require_known(units: Sequence[str]) -> None:
    """UnitError unless systemd runs every one of the units as Quadlet made it, with the generator's complaint."""
    units = [unit for unit in units if is_unit(unit)]
    known = services(services_of(units))
    for unit in units:
        service = known.get(service_of(unit), Service(service_of(unit), load="not-found"))
        if service.load != "loaded":
            why = "{0}; {1}".format(service.load, _complaint(unit))
            raise UnitError("systemd did not take {0} from {1}: {2}".format(service.name, unit, why))
        if not service.path.startswith(_GENERATED):
            raise UnitError(
                "{0} of this host ({1}) stands before {2}; name the container otherwise in the policy.".format(
                    service.name, service.path, unit
                )
            )


def _complaint(unit: str) -> str:
    said = run([GENERATOR, "--dryrun"], check=False).stderr.splitlines()
    # The generator speaks of every unit of the host; standard output would show environment values.
    lines = [line.strip() for line in said if unit in line and _NO_COMPLAINT not in line]
    return " | ".join(lines[-3:]) or "its generator did not say why (see {0} --dryrun)".format(GENERATOR)


def queue(names: Sequence[str]) -> None:
    """Have systemd start the services, in its order, and return at once."""
    if names:
        run(["systemctl", "start", "--no-block", "--", *names])


def start(names: Sequence[str]) -> None:
    """Start the services. Raises CommandError when one does not start."""
    if names:
        run(["systemctl", "start", "--", *names])


def stop(names: Sequence[str], seconds: float | None = None) -> None:
    """Stop the services, for ``seconds`` at most, or as long as systemd gives one. UnitError when one is still up afterwards."""
    if not names:
        return
    run(["systemctl", "stop", "--", *names], check=False, timeout=seconds)
    left = _still_up(names)
    if left:
        raise UnitError("systemctl stop did not stop all: {0}.".format("; ".join(map(str, left))))


def kill(names: Sequence[str]) -> None:
    """End what does not stop: all processes of the services, those that were to stop them, too, until systemd has them down.
    UnitError when some are not soon."""
    # What waits to be started is not killed.
    run(["systemctl", "stop", "--no-block", "--", *names], check=False)
    until = time.monotonic() + _KILLING
    left = _still_up(names)
    while left:
        if time.monotonic() > until:
            raise UnitError("systemctl kill did not end all: {0}.".format("; ".join(map(str, left))))
        run(["systemctl", "kill", "--signal=KILL", "--", *(service.name for service in left)], check=False)
        time.sleep(_KILL_PAUSE)
        left = _still_up(names)


def _still_up(names: Sequence[str]) -> list[Service]:
    return [service for service in services(names).values() if not service.is_down or service.job]


def journal_tail(service: str, since: float, lines: int = 50) -> list[str]:
    """The last lines that a service logged since a moment (seconds of the epoch)."""
    argv = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--unit=" + service]
    shown = run([*argv, "--lines={0}".format(lines), "--since=@{0}".format(int(since))], check=False)
    return shown.stdout.splitlines()
