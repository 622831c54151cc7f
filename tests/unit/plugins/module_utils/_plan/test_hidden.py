# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts without secrets, and what is no secret enough to be looked for."""

from __future__ import annotations

import json

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.hidden import Hidden, of_inventory
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.masking import masked_plan
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.report import report
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import inventory, service


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        ("hunter22", "a hunter22, xhunter22y", "a ********, x********y"),
        ("hunter22", "app:hunter22 in base64: YXBwOmh1bnRlcjIy", "app:******** in base64: YXBwOm********"),
        ("a b%c$d", 'Exec="a b%%c$$d"', 'Exec="********"'),
        ('say "hi"', 'HealthCmd=["say \\"hi\\""]', 'HealthCmd=["********\\""]'),
        ("p$w0rd!", "http://u:p%24w0rd%21@h/", "http://u:********@h/"),
        ("line one of it\nline two of it", "x line two of it", "x ********"),
        ("0123456789abcdefghijkl", "cut off: 0123456789abc'", "cut off: ********'"),
        ("swordfish", "-pswordfish swordfish, swordfishes", "-p******** ********, swordfishes"),
        ("123456", "123456, 1234567", "********, 1234567"),
        ("short", "short", "short"),
    ],
)
def test_a_value_is_hidden_however_it_is_written(value, text, shown):
    assert Hidden([value]).text(text) == shown


def test_values_that_begin_alike_are_told_apart():
    hidden = Hidden(["token-1", "token-12345", "token-12345678"])
    assert [hidden.text(text) for text in ("token-1", "token-12345", "token-123456789", "a token-1!")] == [
        "********",
        "********",
        "********9",
        "a ********!",
    ]
    assert hidden.found("token-1") == {"token-1"}


def test_keys_that_become_alike_are_all_there():
    assert Hidden(["hunter22", "hunter33"]).document({"hunter22": 1, "hunter33": ["hunter22"]}) == {
        "********": 1,
        "*********": ["********"],
    }


@pytest.mark.parametrize(
    "value", ["true", "1", "root", "postgres", "secret", "password", "container", "8080", "blog", "db"]
)
def test_a_common_value_leaves_the_report_as_it_is(value):
    database = service("blog", "db", Config__Image="postgres:16", Config__Cmd=["postgres", "-c", "port=8080"])
    database["Config"]["Env"] = ["DB_PASSWORD=" + value, "API_TOKEN=" + value]
    known = inventory([service("blog", "web"), database])
    made = make_plan(known, None, "5.4.2")
    assert report(masked_plan(made, of_inventory(known, ()))) == report(made)
    assert "********" not in "".join(report(made))


def test_a_plain_word_is_hidden_in_what_is_the_containers_own():
    check = {"Test": ["CMD", "login", "swordfish"]}
    known = inventory([service("blog", "web", Config__Env=["DB_PASSWORD=swordfish"], Config__Healthcheck=check)])
    made = make_plan(known, None, "5.4.2")
    assert "swordfish" in json.dumps(made["workloads"][0]["units"])
    assert "swordfish" not in json.dumps(masked_plan(made))
    assert ("readable-secret", "Config.Healthcheck.Test") in {(item["code"], item["path"]) for item in made["findings"]}
