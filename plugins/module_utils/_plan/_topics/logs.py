# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where logs go (private to the collection)."""

from __future__ import annotations

from ..._common.json import Json, dig, mapping, text
from .._documents.containers import name_of
from .._tables.options import Setting
from ..model import INFO, WARNING, Finding

DRIVERS = ("journald", "k8s-file")
"""What policy.logs can choose: the journal, or a file for each container as Docker had it."""

_LOCAL = ("", "json-file", "journald", "local")
_TYPE, _CONFIG = "HostConfig.LogConfig.Type", "HostConfig.LogConfig.Config"


def settings(container: Json, wanted: str) -> list[Setting]:
    """The log driver, always: Podman's default differs from host to host."""
    if dig(container, _TYPE) == "none":
        return [("log_driver", "none")]
    return [
        ("log_driver", wanted),
        *[("log_opt", f"{key}={value}") for key, value in _options(container, wanted).items()],
    ]


def _options(container: Json, wanted: str) -> dict[str, str]:
    """The options that Podman's driver has as well."""
    own = mapping(dig(container, _CONFIG))
    known = {"k8s-file": ("max-size",), "journald": ("tag",)}[wanted]
    return {key: text(own[key]) for key in known if text(own.get(key)) and "{{" not in text(own[key])}


def findings(container: Json, wanted: str) -> list[Finding]:
    """Drivers and options that Podman does not have."""
    name, driver, found = name_of(container), text(dig(container, _TYPE)), []
    if driver not in (*_LOCAL, "none"):
        message = f"Podman has no log driver {driver[:80]!r}; the logs go to {wanted}."
        remedy = "Let a log shipper read them from there, and accept this."
        found.append(Finding(WARNING, "log-driver", name, _TYPE, message, remedy))
    left = sorted(set(mapping(dig(container, _CONFIG))) - set(_options(container, wanted)))
    if left and driver != "none":
        message = "Podman's {} has no {}; its own limits apply.".format(wanted, ", ".join(left))
        found.append(Finding(INFO, "logs", name, _CONFIG, message, "See journald.conf(5) and containers.conf(5)."))
    return found
