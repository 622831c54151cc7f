# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user decides (private to the collection)."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import (
    Finding,
    Json,
    PlanError,
    mapping,
    strings,
)

GROUPINGS = ("auto", "pod", "network")
_KEYS = {"grouping": str, "accept": list, "exclude": list, "projects": dict, "secrets": list}
_PROJECT_KEYS = {"grouping": str}


def checked(policy: Any) -> Json:
    """The policy when it is one. Raises PlanError naming the key that is not: a typing error must not weaken it."""
    if policy is None:
        return {}
    _check_keys("policy", policy, _KEYS)
    for name, project in mapping(policy.get("projects")).items():
        _check_keys("policy.projects." + name, project, _PROJECT_KEYS)
    for place in (policy, *mapping(policy.get("projects")).values()):
        if place.get("grouping", "auto") not in GROUPINGS:
            raise PlanError("policy: grouping is {!r}, not one of {}.".format(place["grouping"], ", ".join(GROUPINGS)))
    for rule in secret_rules(policy):
        try:
            re.compile(rule)
        except re.error as error:
            raise PlanError("policy.secrets: {0!r} is not a regular expression: {1}.".format(rule, error)) from None
    return dict(policy)


def _check_keys(place: str, value: Any, keys: dict[str, Any]) -> None:
    if not isinstance(value, dict):
        raise PlanError(f"{place} is not a mapping.")
    for key, content in value.items():
        if key not in keys:
            raise PlanError("{}.{} is not known; known are {}.".format(place, key, ", ".join(sorted(keys))))
        if not isinstance(content, keys[key]):
            raise PlanError(f"{place}.{key} is not a {keys[key].__name__}.")


def grouping_of(policy: Json, project: str) -> str:
    """The wished grouping of a project, else of all."""
    own = mapping(mapping(policy.get("projects")).get(project))
    return str(own.get("grouping") or policy.get("grouping") or "auto")


def secret_rules(policy: Json) -> list[str]:
    """The user's rules for names of secret variables, beside the built-in ones."""
    return strings(policy.get("secrets"))


def is_accepted(finding: Finding, policy: Json) -> bool:
    """True when the policy accepts a finding: by code, by code and subject, or a field by its path."""
    ways: list[str] = [finding.code, f"{finding.code}:{finding.subject}"]
    if finding.severity == "blocker":
        ways = [finding.path] if finding.code in ("untranslated-option", "unknown-field") else []
    return any(way in strings(policy.get("accept")) for way in ways)
