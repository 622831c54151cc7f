# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment variables are secret, and the Podman secrets they become (private to the collection).

The services that Quadlet generates can be read by every local user, the environment of a Docker container only by
root and the group docker: what is secret must not stand in a unit.
"""

from __future__ import annotations

import re
from typing import Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import name_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import Json, dig, strings

RULES = (
    r"PASS(WORD|WD|PHRASE)?(_|$)",
    r"SECRET",
    r"TOKEN",
    r"CREDENTIAL",
    r"(API|ACCESS|PRIVATE|ENCRYPTION|SIGNING)_?KEY",
    r"(^|_)(AUTH|DSN|PWD)(_|$)",
)
"""Regular expressions, searched for in the upper-cased name of a variable; the policy adds others."""

_CREDENTIALS_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def secrets(container: Json, image: Json, rules: Sequence[str]) -> list[Json]:
    """{name, container, env} for each secret variable that the image does not set alike."""
    inherited = set(strings(image.get("Env")))
    entries = [entry.partition("=") for entry in strings(dig(container, "Config.Env")) if entry not in inherited]
    return [
        {"name": "{0}-{1}".format(name_of(container), name), "container": name_of(container), "env": name}
        for name, separator, value in entries
        if separator and value and _VARIABLE.match(name) and is_secret(name, value, rules)
    ]


def is_secret(name: str, value: str, rules: Sequence[str]) -> bool:
    """Whether a rule matches the name, or the value holds credentials in a URL."""
    found = any(re.search(rule, name.upper()) for rule in (*RULES, *rules))
    return found or bool(_CREDENTIALS_IN_URL.search(value))
