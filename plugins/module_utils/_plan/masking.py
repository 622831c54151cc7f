# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may leave the target: plans without environment values and secrets (private to the collection).

The plan on the target is complete. With each workload it has what may be shown of its units and volumes, because their
secrets are known only while it is made; its findings hold none.
"""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple, Sequence

from .._common.json import Json, mapping
from ._documents.credentials import spans
from .hidden import MASK, Secrets, without

NOT_SHOWN = "(Not shown: it was planned by an earlier version, which did not record where its secrets stand.)\n"
_FREE_TEXT = ("Exec", "Entrypoint", "HealthCmd", "Label", "Annotation", "Options", "Device")
_FREE_FLAGS = ('"--entrypoint=', '"--health-cmd=', '"--label=', '"--annotation=', '"--opt=')
_NAMED_VALUE = re.compile(r'(?P<head>"?(?:--env=)?[^\s="]+=).*')
# Addresses of mirrors have lost their passwords.
_AS_THEY_ARE = ("format", "hash", "registries")


class Masking(NamedTuple):
    """What is secret on a host, and the policy's own rules for the names of secrets."""

    secrets: Secrets
    rules: Sequence[str]

    def workload(self, entry: Json) -> Json:
        """The entry of the plan with what may be shown of it."""
        volumes = {volume["name"]: self._volume(volume) for volume in entry["volumes"]}
        units = {name: "\n".join(map(self._line, unit.split("\n"))) for name, unit in entry["units"].items()}
        reason = self.secrets.telling.text(entry["reason"])
        return {**entry, "reason": reason, "shown": {"units": units, "volumes": volumes}}

    def finding(self, finding: Json) -> Json:
        """The same finding without secrets; its subject is a name by which others find it."""
        return {**finding, **{key: self.sentence(finding[key]) for key in ("path", "message", "remedy")}}

    def sentence(self, text: str) -> str:
        """A sentence that quotes documents, without their secrets."""
        return self.secrets.telling.text(without(text, spans(text, self.rules)))

    def _line(self, line: str) -> str:
        key, separator, value = line.partition("=")
        if key == "Environment" or (key == "PodmanArgs" and value.startswith('"--env=')):
            found = _NAMED_VALUE.match(value)
            return "{}={}{}".format(key, self.secrets.telling.text(found.group("head")) if found else "", MASK)
        if not separator or not (key in _FREE_TEXT or value.startswith(_FREE_FLAGS)):
            return self.secrets.telling.text(line)
        return f"{key}={self._own(value)}"

    def _own(self, value: str) -> str:
        """A text of the container itself; as a whole it is hidden where a part of it has the name of a secret."""
        return MASK if any(spans(value, self.rules)) else self.secrets.own_text(value)

    def _volume(self, volume: Json) -> Json:
        def shown(given: Mapping[str, str]) -> Json:
            lines = {key: self._own(f"{key}={value}") for key, value in given.items()}
            return {key: line if line == MASK else line.partition("=")[2] for key, line in lines.items()}

        return {"labels": shown(volume["labels"]), "driver_opts": shown(volume["driver_opts"])}


def masked_plan(plan: Json, secrets: Secrets | None = None) -> Json:
    """A copy of the plan as it may leave the target. ``secrets``: what is hidden in its names and paths, too."""
    copy = {**plan, "workloads": [_masked(workload) for workload in plan["workloads"]]}
    return {**secrets.telling.document(copy), **{key: copy[key] for key in _AS_THEY_ARE}} if secrets else copy


def _masked(workload: Json) -> Json:
    shown = mapping(workload.get("shown"))
    options = mapping(shown.get("volumes"))
    unknown: Json = {"labels": {}, "driver_opts": {}}
    return {
        **{key: value for key, value in workload.items() if key != "shown"},
        "units": shown_units(workload),
        "volumes": [{**volume, **options.get(volume["name"], unknown)} for volume in workload["volumes"]],
    }


def shown_units(workload: Json) -> dict[str, str]:
    """What may be shown of the units of a workload."""
    shown = mapping(mapping(workload.get("shown")).get("units"))
    return {name: shown.get(name, NOT_SHOWN) for name in workload["units"]}
