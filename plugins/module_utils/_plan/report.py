# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan in lines that a person reads (private to the collection)."""

from __future__ import annotations

from typing import Any

from .._common.json import Json
from .model import SEVERITIES

_SIGNS = {"blocker": "BLOCKER", "warning": "WARNING", "info": "info"}


def report(plan: Json) -> list[str]:
    """What would run where, and what the user should know; holds no environment value."""
    lines = ["Podman {}, {} workload(s)".format(plan["target"]["podman"], len(plan["workloads"]))]
    for workload in plan["workloads"]:
        lines += _workload(workload)
    if plan["left_on_docker"]:
        lines.append("Left on Docker by policy.exclude: " + ", ".join(plan["left_on_docker"]))
    order = {severity: number for number, severity in enumerate(SEVERITIES)}
    for finding in sorted(plan["findings"], key=lambda item: order[item["severity"]]):
        lines += _finding(finding)
    return lines


def obstacles(plan: Json) -> list[str]:
    """What forbids to begin, with its remedy: blockers, and warnings that nobody has accepted."""
    return [
        "{} {}: {}: {} {}".format(_SIGNS[item["severity"]], item["code"], _place(item), item["message"], item["remedy"])
        for item in plan["findings"]
        if item["severity"] != "info" and not item["accepted"]
    ]


def _workload(workload: Json) -> list[str]:
    lines = ["workload {} ({}): {}".format(workload["name"], workload["grouping"], workload["reason"])]
    lines += [
        "  container {}{}".format(item["name"], "" if item["running"] else ", stopped")
        for item in workload["containers"]
    ]
    lines += ["  unit {}".format(name) for name in sorted(workload["units"])]
    lines += ["  image {}".format(image["unit_ref"]) for image in workload["images"]]
    lines += ["  volume {} for {}".format(volume["name"], volume["path"]) for volume in workload["volumes"]]
    return lines + ["  port {}".format(_port(port)) for port in workload["ports"]]


def _port(port: dict[str, Any]) -> str:
    address = port["host_ip"] or "*"
    return "{}:{}/{} to {} in {}".format(
        address, port["host_port"], port["proto"], port["container_port"], port["container"]
    )


def _finding(finding: Json) -> list[str]:
    accepted = " (accepted)" if finding["accepted"] else ""
    head = "{} {}{}: {}: {}".format(
        _SIGNS[finding["severity"]], finding["code"], accepted, _place(finding), finding["message"]
    )
    return [head] if finding["severity"] == "info" else [head, "  remedy: " + finding["remedy"]]


def _place(finding: Json) -> str:
    return "{} {}".format(finding["subject"], finding["path"]).strip()
