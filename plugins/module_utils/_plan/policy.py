# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user decides (private to the collection)."""

from __future__ import annotations

import itertools
import posixpath
import re
from typing import Any

from .._common.json import Json, mapping, strings
from .model import Finding, PlanError, is_carried

_CHOICES = {
    "grouping": ("auto", "pod", "network"),
    "hardening": ("docker", "podman"),
    "logs": ("journald", "k8s-file"),
    "verify": ("contents", "quick"),
    "strategy": ("copy", "adopt"),
}
"""What can be chosen, the default first."""
_OWN: dict[str, Any] = dict.fromkeys(_CHOICES, str)
_KINDS = {
    "projects": _OWN,
    "containers": {**{key: str for key in _CHOICES if key != "grouping"}, "persist": list, "commit": bool},
}
"""What can be said of one project or container; a container has no grouping."""
_KEYS = {**_OWN, "accept": list, "exclude": list, "secrets": list, "noise": list, "projects": dict, "containers": dict}
_FOLDER = re.compile(r"/[^/\x00-\x1f\x7f][^\x00-\x1f\x7f]*\Z")
_ACCEPTED_BY_PATH = ("untranslated-option", "unknown-field", "daemon-option")
"""Blockers that can be lifted: the plan is complete without what they name."""


def checked(policy: Any) -> Json:
    """The policy when it is one. Raises PlanError naming the key that is not: a typing error must not weaken it."""
    if policy is None:
        return {}
    _check_keys("policy", policy, _KEYS)
    places = {"policy": policy}
    for kind, keys in _KINDS.items():
        for name, own in mapping(policy.get(kind)).items():
            places[f"policy.{kind}.{name}"] = own
            _check_keys(f"policy.{kind}.{name}", own, keys)
            _check_persist(f"policy.{kind}.{name}.persist", own.get("persist", []))
    for place, own in places.items():
        for key, choices in _CHOICES.items():
            if own.get(key, choices[0]) not in choices:
                raise PlanError("{}.{} is {!r}, not one of {}.".format(place, key, own[key], ", ".join(choices)))
    _check_rules(policy)
    return dict(policy)


def _check_rules(policy: Json) -> None:
    for rule in secret_rules(policy):
        try:
            re.compile(rule)
        except re.error as error:
            raise PlanError("policy.secrets: {0!r} is not a regular expression: {1}.".format(rule, error)) from None
    for path in noise(policy):
        if not path.startswith(("/", "*")):
            raise PlanError(
                "policy.noise: {!r} is not an absolute path, nor a pattern that begins with *.".format(path)
            )


def _check_persist(place: str, paths: list[str]) -> None:
    for path in paths:
        if not _FOLDER.match(path) or posixpath.normpath(path) != path:
            raise PlanError(
                f"{place}: {path!r} is not the whole path of a folder in the container, as in /var/lib/app."
            )
        if not is_carried(path):
            raise PlanError(f"{place}: no unit can carry the path {path!r}.")
    for one, other in itertools.permutations(paths, 2):
        if (one + "/").startswith(other + "/"):
            raise PlanError(f"{place}: {one} lies in {other}, or is the same; name only one of them.")


def _check_keys(place: str, value: Any, keys: dict[str, Any]) -> None:
    if not isinstance(value, dict):
        raise PlanError(f"{place} is not a mapping.")
    for key, content in value.items():
        if key not in keys:
            raise PlanError("{}.{} is not known; known are {}.".format(place, key, ", ".join(sorted(keys))))
        if not isinstance(content, keys[key]):
            raise PlanError(f"{place}.{key} is not a {keys[key].__name__}.")
        for number, item in enumerate(content if isinstance(content, list) else []):
            if not isinstance(item, str):
                raise PlanError(
                    f"{place}.{key}[{number}] is {item!r}, not a string; quote it, or take one list out of another."
                )


def choice(policy: Json, key: str, project: str = "", container: str = "") -> str:
    """What the policy says for a container, else for its project, else for all."""
    for kind, name in (("containers", container), ("projects", project)):
        own = mapping(mapping(policy.get(kind)).get(name)).get(key)
        if own:
            return str(own)
    return str(policy.get(key) or _CHOICES[key][0])


def is_hardened(policy: Json, project: str, container: str) -> bool:
    """Whether a container gets Podman's narrower defaults."""
    return choice(policy, "hardening", project, container) == "podman"


def secret_rules(policy: Json) -> list[str]:
    """The user's rules for names of secret variables, beside the built-in ones."""
    return strings(policy.get("secrets"))


def noise(policy: Json) -> list[str]:
    """The user's paths that hold nothing worth keeping, beside the built-in ones."""
    return strings(policy.get("noise"))


def persist(policy: Json, container: str) -> list[str]:
    """The folders of a container's own file system that become volumes."""
    return strings(mapping(mapping(policy.get("containers")).get(container)).get("persist"))


def commits(policy: Json, container: str) -> bool:
    """Whether an image is made of what was written into a container."""
    return mapping(mapping(policy.get("containers")).get(container)).get("commit") is True


def is_accepted(finding: Finding, policy: Json) -> bool:
    """True when the policy accepts a finding: by code, by code and subject, or a field by its path."""
    ways: list[str] = [finding.code, f"{finding.code}:{finding.subject}"]
    if finding.severity == "blocker":
        ways = [finding.path] if finding.code in _ACCEPTED_BY_PATH else []
    return any(way in strings(policy.get("accept")) for way in ways)
