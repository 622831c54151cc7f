# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images come from: the daemon's mirrors and insecure registries (private to the collection)."""

from __future__ import annotations

import ipaddress
import re

from ..._common.json import Json, strings
from .._documents import daemon
from .._documents.context import Context
from ..model import WARNING, Finding

_MIRROR = re.compile(r"(?P<scheme>https?)://(?:[^/@]*@)?(?P<location>[A-Za-z0-9.:/_\[\]-]+?)/*\Z")
_REGISTRY = re.compile(r"[A-Za-z0-9.:_\[\]-]+\Z")

IMPLICITLY_INSECURE = "localhost:5000"
"""Docker talks to registries on the loopback without TLS, Podman does not (facts on daemon.json)."""


def registries(known: Context) -> Json:
    """{search, mirrors: [{location, insecure}], insecure}: what registries.conf says for the same pulls."""
    mirrors = [found for found in map(_MIRROR.match, strings(_settings(known).get("registry-mirrors"))) if found]
    insecure = [name for name in _insecure(known) if _REGISTRY.match(name)]
    return {
        "search": ["docker.io"],
        "mirrors": [
            {"location": found.group("location"), "insecure": found.group("scheme") == "http"} for found in mirrors
        ],
        "insecure": sorted({IMPLICITLY_INSECURE, *insecure}),
    }


def findings(known: Context) -> list[Finding]:
    """What registries.conf cannot say."""
    message = "Podman's registries.conf cannot express {0!r}."
    remedy = "Name the registries in it with registries_insecure, and accept this finding."
    untranslated = [name for name in _insecure(known) if not _REGISTRY.match(name) and not _is_loopback(name)]
    return [
        Finding(WARNING, "insecure-registry", "engine", "config.daemon_json", message.format(name), remedy)
        for name in untranslated
    ]


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_network(name, strict=False).is_loopback
    except ValueError:
        return False


def _insecure(known: Context) -> list[str]:
    return strings(_settings(known).get("insecure-registries"))


def _settings(known: Context) -> Json:
    return daemon.settings(known.engine)
