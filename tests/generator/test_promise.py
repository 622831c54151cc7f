# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generators make of each unit the very arguments that the option table promises, and nothing else."""

from __future__ import annotations

import functools

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan._tables import options
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import drafts
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.unit_file import Unit
from ansible_collections.podshift.docker_to_podman.tests.generator import commands, oracle, rootfs, test_units

# What the generators add to each kind of unit by themselves (podman-systemd.unit(5)).
OWN = {
    "Container": {"name", "cidfile", "replace", "rm", "cgroups", "sdnotify", "detach", "pod-id-file", "pod"},
    "Pod": {"infra-conmon-pidfile", "pod-id-file", "exit-policy", "replace", "infra-name", "name"},
    "Network": {"ignore"},
    "Volume": {"ignore"},
}
# What has a name of its own, so that its order says nothing: generators sort some, and write PodmanArgs= last.
UNORDERED = {"annotation", "env", "expose", "label", "opt", "volume"}
# Settings that say how the unit is read, and no argument of the command.
SILENT = {"image", "exec", "pod", "start_with_pod", "runtime"}


@functools.cache
def drafted(suite: str, case: str) -> dict[str, Unit]:
    document, policy = test_units.CASES[case]
    return {unit.file_name: unit for unit in drafts(document, policy, oracle.version(suite))}


def names(units: dict[str, Unit]) -> dict[str, str]:
    """File of a unit -> the name of what it makes."""
    return {file: dict(unit.settings).get("name", "systemd-" + file.partition(".")[0]) for file, unit in units.items()}


def promised(unit: Unit, known: dict[str, str]) -> dict[str, list[str]]:
    """Flag -> values, in their order, of all settings."""
    found: dict[str, list[str]] = {}
    for name, value in unit.settings:
        if name in SILENT or (unit.section in ("Network", "Volume") and name == "name"):
            continue
        option = options.SECTIONS[unit.section][name]
        flag, equals, argument = option.argument(_resolved(name, value, known)).partition("=")
        found.setdefault(flag[2:], []).append(argument if equals else "true")
    return found


def _resolved(name: str, value: str, known: dict[str, str]) -> str:
    """A value in which the files of other units stand for what they make; generators write capabilities small."""
    if name in ("cap_add", "cap_drop"):
        return value.lower()
    if name == "mount":
        for file, made in known.items():
            value = value.replace(f"source={file},", f"source={made},")
    head, colon, rest = value.partition(":")
    if name in ("network", "volume") and head in known:
        made = "container:" + known[head] if head.endswith(".container") else known[head]
        return made + colon + rest
    return value


@pytest.mark.parametrize("suite", rootfs.SUITES)
@pytest.mark.parametrize("case", test_units.CASES)
def test_the_arguments_are_those_of_the_option_table(suite, case):
    units, result = drafted(suite, case), test_units.generated(suite)[case]
    for file, unit in units.items():
        made = commands.creation(result.services, test_units.service_of(file))
        wanted = promised(unit, names(units))
        found = {flag: list(values) for flag, values in made.options.items()}
        for flag in UNORDERED & set(found) & set(wanted):
            found[flag], wanted[flag] = sorted(found[flag]), sorted(wanted[flag])
        # Of an option that takes one value, Podman takes the last.
        assert {flag: found.get(flag, [])[-len(values) :] for flag, values in wanted.items()} == wanted
        assert not any(len(found[flag]) > len(wanted[flag]) for flag in set(wanted) - OWN[unit.section])
        assert set(found) - set(wanted) <= OWN[unit.section]
        if unit.section == "Container":
            settings = dict(unit.settings)
            command = commands.words(settings.get("exec", ""))
            assert made.arguments[0] == settings["image"]
            assert len(made.arguments) == 1 + len(command)
