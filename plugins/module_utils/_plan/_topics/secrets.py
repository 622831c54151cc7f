# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environment variables are secret, and the Podman secrets they become (private to the collection).

The services that Quadlet generates can be read by every local user, the environment of a Docker container only by
root and the group docker: what is secret must not stand in a unit.
"""

from __future__ import annotations

import re
from typing import Iterator, NamedTuple, Sequence

from ..._common.json import Json, dig, mapping, strings, text
from .._documents import credentials
from .._documents.containers import name_of
from .._documents.credentials import is_secret
from ..hidden import NOTHING, Secrets
from ..model import INFO, WARNING, Finding, is_carried

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


def secrets(container: Json, image: Json, rules: Sequence[str], known: Secrets = NOTHING) -> list[Json]:
    """{name, container, env} for each secret variable that the image does not set alike. ``known``: secrets of the host; what
    holds one of them is one.

    Also for those that no unit can carry: Podman gives a secret to the container byte for byte.
    """
    found: dict[str, Json] = {}
    for env, separator, value in _own(container, image):
        is_wanted = bool(value) and (is_secret(env, value, rules) or _holds_secret(value, rules, known))
        if separator and (is_wanted or is_uncarriable(env, value)) and not set(env) & set(",\r\n"):
            name = _UNSAFE.sub("_", f"{name_of(container)}-{env}")
            while name in found and found[name]["env"] != env:
                name += "_"
            found[name] = {"name": name, "container": name_of(container), "env": env}
    return list(found.values())


def _holds_secret(value: str, rules: Sequence[str], known: Secrets) -> bool:
    return any(credentials.within(value, rules)) or bool(known.telling.found(value))


def is_uncarriable(env: str, value: str) -> bool:
    """True for a variable that Podman would change on its way through a unit: it cuts blanks before a name, and makes
    one line feed of a carriage return and a line feed (tried)."""
    return "\r\n" in value or env != env.strip() or not is_carried(env + value)


def _own(container: Json, image: Json) -> Iterator[tuple[str, str, str]]:
    inherited = set(strings(image.get("Env")))
    return (entry.partition("=") for entry in strings(dig(container, "Config.Env")) if entry not in inherited)


def findings(container: Json, image: Json, rules: Sequence[str], known: Secrets = NOTHING) -> list[Finding]:
    """What everybody on the host can read in the generated service, and could not read before."""
    name = name_of(container)
    hidden = {item["env"] for item in secrets(container, image, rules, known)}
    found = [
        Finding(WARNING, "readable-secret", name, place.path, *_words(place, container, known))
        for place in _places(container, image)
        if any(credentials.of_document(place.content, rules, place.name)) or place.holds(known)
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


def resource_findings(document: Json, rules: Sequence[str], known: Secrets = NOTHING) -> list[Finding]:
    """Secrets in the options and labels of a network or volume."""
    places = [
        _Place(f"{part}[{key}]", "", key, text(value))
        for part in ("Options", "Labels")
        for key, value in sorted(mapping(document.get(part)).items())
    ]
    return [
        Finding(WARNING, "readable-secret", text(document.get("Name")), place.path, *_READABLE)
        for place in places
        if any(credentials.of_document(place.content, rules, place.name)) or place.holds(known)
    ]


_READABLE = (
    "The value looks like a secret, and every user of the host can read it in the generated service.",
    "Take it from a file, for CIFS with credentials=, or accept it.",
)


class _Place(NamedTuple):
    """Something of a document that stands in a unit: its path, what a sentence calls it, its name, and the value."""

    path: str
    what: str
    name: str
    content: str | list[str]

    def holds(self, known: Secrets) -> set[str]:
        """The known secrets in it."""
        return known.found(self.content if isinstance(self.content, str) else " ".join(self.content))


def _places(container: Json, image: Json) -> Iterator[_Place]:
    for key in ("Entrypoint", "Cmd"):
        words = strings(dig(container, "Config." + key))
        if words != strings(image.get(key)):
            yield _Place("Config." + key, "An argument", "", words)
    check = strings(dig(container, "Config.Healthcheck.Test"))
    yield _Place("Config.Healthcheck.Test", "A word of the health check", "", check)
    inherited = mapping(image.get("Labels"))
    for path, own, given in (
        ("Config.Labels", "The label", mapping(dig(container, "Config.Labels"))),
        ("HostConfig.Annotations", "The annotation", mapping(dig(container, "HostConfig.Annotations"))),
    ):
        for key, value in sorted(given.items()):
            if path != "Config.Labels" or inherited.get(key) != value:
                yield _Place(f"{path}[{key}]", own, key, text(value))


def _words(place: _Place, container: Json, known: Secrets) -> tuple[str, str]:
    """Message and remedy. Docker's documents do not say that Compose has filled a variable in; its value does."""
    held = place.holds(known)
    entries = [entry.partition("=") for entry in strings(dig(container, "Config.Env"))]
    variable = min((env for env, _equals, value in entries if value in held), default="")
    if not held:
        what, remedy = "looks like a secret", "Give it to the program by a variable or a file instead, or accept it."
    elif not variable or isinstance(place.content, str):
        what, remedy = (
            "holds the value of a secret",
            "Give it to the program by a variable or a file instead, or accept it.",
        )
    else:
        what = f"holds the value of the secret variable {variable}"
        remedy = (
            f"Have a shell in the container fill it in ($${variable} in a Compose file with CMD-SHELL), or accept it."
        )
    return f"{place.what} {what}, and every user of the host can read it in the generated service.", remedy
