# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may leave the target: units and plans without environment values and secrets (private to the collection)."""

from __future__ import annotations

import re
from typing import Sequence

from .._common.json import Json, mapping, strings
from ._topics.secrets import mentions_secret

MASK = "********"
_FREE_TEXT = ("Exec", "Entrypoint", "HealthCmd", "Label", "Annotation", "Options")
_FREE_FLAGS = ('"--entrypoint=', '"--health-cmd=', '"--label=', '"--annotation=', '"--opt=')
_NAMED_VALUE = re.compile(r'(?P<head>"?(?:--env=)?[^\s="]+=).*')


def masked(unit: str, rules: Sequence[str] = ()) -> str:
    """The same unit without environment values, and without lines that look like secrets: what may leave the target.

    ``rules``: the policy's own rules for the names of secrets.
    """
    return "\n".join(_masked_line(line, rules) for line in unit.split("\n"))


def _masked_line(line: str, rules: Sequence[str]) -> str:
    key, separator, value = line.partition("=")
    if not separator:
        return line
    if key == "Environment" or (key == "PodmanArgs" and value.startswith('"--env=')):
        found = _NAMED_VALUE.match(value)
        return "{}={}{}".format(key, found.group("head") if found else "", MASK)
    is_free = key in _FREE_TEXT or (key == "PodmanArgs" and value.startswith(_FREE_FLAGS))
    return f"{key}={MASK}" if is_free and mentions_secret(value, rules) else line


def masked_plan(plan: Json) -> Json:
    """A copy of the plan in which no unit holds an environment value."""
    rules = strings(mapping(plan.get("policy")).get("secrets"))
    workloads = [
        {
            **workload,
            "units": {name: masked(unit, rules) for name, unit in workload["units"].items()},
            "volumes": [_masked_volume(volume, rules) for volume in workload["volumes"]],
        }
        for workload in plan["workloads"]
    ]
    return {**plan, "workloads": workloads}


def _masked_volume(volume: Json, rules: Sequence[str]) -> Json:
    def shown(found: Json) -> Json:
        return {key: MASK if mentions_secret(f"{key}={value}", rules) else value for key, value in found.items()}

    return {**volume, "labels": shown(volume["labels"]), "driver_opts": shown(volume["driver_opts"])}
