# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment variables are secret, and the Podman secrets they become (private to the collection).

The services that Quadlet generates can be read by every local user, the environment of a Docker container only by
root and the group docker: what is secret must not stand in a unit.
"""

from __future__ import annotations

import re
from typing import Iterator, Sequence

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.containers import name_of
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    INFO,
    WARNING,
    Finding,
    Json,
    dig,
    mapping,
    strings,
    text,
)

RULES = (
    r"PASS(WORD|WD|PHRASE)?S?\d*(_|$)",
    r"SECRET",
    r"TOKEN",
    r"CREDENTIAL",
    r"(API|APP|ACCESS|MASTER|PRIVATE|ENCRYPTION|SIGNING)_?KEY",
    r"(^|_)(AUTH|DSN|PWD)(_|$)",
)
"""Regular expressions, searched for in the upper-cased name of a variable; the policy adds others."""

# Lengths are bounded, or a long value would cost the square of its length.
_CREDENTIALS_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^/\s:@]{0,200}:[^/\s@]{1,400}@")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_NAMED = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9_.-]{0,80})[\"']{0,4}(?:\s{0,4}[=:,]\s{0,4}|\s{1,4})[\"']{0,4}(?=[^\s\"'-])"
)


def secrets(container: Json, image: Json, rules: Sequence[str]) -> list[Json]:
    """{name, container, env} for each secret variable that the image does not set alike."""
    return [
        {"name": "{0}-{1}".format(name_of(container), name), "container": name_of(container), "env": name}
        for name, separator, value in _own(container, image)
        if separator and value and _VARIABLE.match(name) and is_secret(name, value, rules)
    ]


def _own(container: Json, image: Json) -> Iterator[tuple[str, str, str]]:
    inherited = set(strings(image.get("Env")))
    return (entry.partition("=") for entry in strings(dig(container, "Config.Env")) if entry not in inherited)


def is_secret(name: str, value: str, rules: Sequence[str]) -> bool:
    """Whether a rule matches the name, or the value holds credentials in a URL."""
    word = re.sub(r"[^A-Z0-9]", "_", name.upper())
    found = any(re.search(rule, word, re.IGNORECASE) for rule in (*RULES, *rules))
    return found or bool(_CREDENTIALS_IN_URL.search(value))


def mentions_secret(line: str, rules: Sequence[str]) -> bool:
    """Whether a command line gives a value to something with the name of a secret, or holds credentials in a URL."""
    names = (found.group("name") for found in _NAMED.finditer(line))
    return any(is_secret(name, "", rules) for name in names) or bool(_CREDENTIALS_IN_URL.search(line))


def findings(container: Json, image: Json, rules: Sequence[str]) -> list[Finding]:
    """What everybody on the host can read in the generated service, and could not read before."""
    name = name_of(container)
    hidden = {item["env"] for item in secrets(container, image, rules)}
    found = [
        Finding(
            WARNING,
            "readable-secret",
            name,
            path,
            f"{what} looks like a secret, and every user of the host can read it in the generated service.",
            "Give it to the program by a variable or a file instead, or accept it.",
        )
        for path, what in _readable_secrets(container, image, rules)
    ]
    keys = sorted(variable for variable, _equals, _value in _own(container, image) if variable not in hidden)
    labels = sorted(set(mapping(dig(container, "Config.Labels"))) - set(mapping(image.get("Labels"))))
    arguments = strings(dig(container, "Config.Cmd")) != strings(image.get("Cmd"))
    parts = [("variables " + ", ".join(keys)) if keys else "", "the command" if arguments else ""]
    parts += [("labels " + ", ".join(labels)) if labels else ""]
    if any(parts):
        message = "Every user of the host can read in the generated service: {0}.".format(
            "; ".join(filter(None, parts))
        )
        remedy = "What must stay hidden becomes a secret by a rule for its name in policy.secrets."
        found.append(Finding(INFO, "readable", name, "Config", message, remedy))
    return found


def resource_findings(document: Json, rules: Sequence[str]) -> list[Finding]:
    """Secrets in the options and labels of a network or volume."""
    places = {
        f"{part}[{key}]": f"{key}={text(value)}"
        for part in ("Options", "Labels")
        for key, value in sorted(mapping(document.get(part)).items())
    }
    return [
        Finding(WARNING, "readable-secret", text(document.get("Name")), path, *_READABLE)
        for path, line in places.items()
        if mentions_secret(line, rules)
    ]


_READABLE = (
    "The value looks like a secret, and every user of the host can read it in the generated service.",
    "Take it from a file, for CIFS with credentials=, or accept it.",
)


def _readable_secrets(container: Json, image: Json, rules: Sequence[str]) -> Iterator[tuple[str, str]]:
    for key in ("Entrypoint", "Cmd"):
        words = strings(dig(container, "Config." + key))
        if words != strings(image.get(key)) and mentions_secret(" ".join(words), rules):
            yield "Config." + key, "An argument"
    if mentions_secret(" ".join(strings(dig(container, "Config.Healthcheck.Test"))), rules):
        yield "Config.Healthcheck.Test", "A word of the health check"
    inherited = mapping(image.get("Labels"))
    for key, value in sorted(mapping(dig(container, "Config.Labels")).items()):
        if inherited.get(key) != value and is_secret(key, text(value), rules):
            yield f"Config.Labels[{key}]", "The label"
