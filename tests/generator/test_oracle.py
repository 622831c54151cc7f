# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generators and systemd object to what is wrong, and say so where the other tests look."""

from __future__ import annotations

import pytest

from ansible_collections.podshift.docker_to_podman.tests.generator import commands, oracle, rootfs

GOOD = "[Container]\nImage=docker.io/library/app:1\n"
WRONG = {
    "an unknown key": (GOOD + "Nonsense=1\n", "messages", "unsupported key 'Nonsense'"),
    "a bad value": (GOOD + "RemapUsers=nonsense\n", "messages", "nonsense"),
    "a short image name": ("[Container]\nImage=app\n", "messages", "not a fully qualified image name"),
    "a pod that is not there": (GOOD + "Pod=nowhere.pod\n", "messages", "nowhere.pod does not exist"),
    "a lone semicolon": (GOOD + "Exec=a ; b\n", "verify", "more than one ExecStart="),
    "a specifier that is none": (GOOD + "Exec=a %z\n", "verify", "Failed to resolve unit specifiers"),
    "an unknown option of systemd": (GOOD + "[Service]\nRestart=nonsense\n", "verify", "Failed to parse"),
    "a service that is not there": (GOOD + "[Unit]\nRequires=nowhere.service\n", "verify", "nowhere.service not found"),
}


@pytest.fixture(scope="module", params=rootfs.SUITES)
def results(request):
    cases = {name: {"web.container": unit} for name, (unit, _where, _said) in WRONG.items()}
    cycle = {"a.container": GOOD + "[Unit]\nAfter=b.service\n", "b.container": GOOD + "[Unit]\nAfter=a.service\n"}
    cycle["a.container"] += "Wants=b.service\n"
    good = {"web.container": GOOD + "[Install]\nWantedBy=multi-user.target\n", "data.volume": "[Volume]\n"}
    return oracle.generate_all(request.param, {**cases, "a cycle": cycle, "good": good})


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(results, case):
    _unit, where, said = WRONG[case]
    assert said in "\n".join(getattr(results[case], where))


def test_an_error_is_an_exit_code_and_no_service(results):
    assert (results["an unknown key"].exit_code, results["an unknown key"].services) == (1, {})


def test_a_cycle_is_said(results):
    assert "ordering cycle" in "\n".join(results["a cycle"].verify)


def test_what_is_right_is_silent_and_others_do_not_change_that(results):
    good = results["good"]
    assert (good.exit_code, good.messages, good.verify) == (0, [], [])
    assert list(good.services) == ["data-volume.service", "web.service"]
    assert good.links == ["multi-user.target.wants/web.service"]
    assert commands.creation(good.services, "web.service").arguments == ["docker.io/library/app:1"]
    assert commands.creation(good.services, "data-volume.service").arguments == ["systemd-data"]


@pytest.mark.parametrize("suite", rootfs.SUITES)
def test_a_dropped_line_is_missing_from_the_command_line_whatever_the_generator_says(suite):
    """Podman 5.4 drops a line with an unknown escape and says nothing, with exit code 0."""
    result = oracle.generate(suite, {"web.container": GOOD + 'Exec="a\\.b"\n'})
    assert result.exit_code == 0
    assert commands.creation(result.services, "web.service").arguments == ["docker.io/library/app:1"]


def test_the_releases_are_those_that_are_meant():
    assert [oracle.version(suite).rpartition(".")[0] for suite in rootfs.SUITES] == ["5.4", "5.8"]
