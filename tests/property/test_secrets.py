# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret variable of a container shows nowhere in what leaves the target, wherever else its value stands."""

from __future__ import annotations

import base64
import copy
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.hidden import of_inventory
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.masking import masked_plan
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.model import PlanError
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.report import obstacles, report
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.property.test_translate import POLICY, damaged, host, places

sys.path.append(str(Path(__file__).resolve().parent.parent / "golden"))
import goldens

PROFILE = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
VERSIONS = ("4.4.1", "5.4.2", "5.8.6")
CANARY = "c4nary-Zq81"
# With what shells, JSON, URLs, systemd and units have words of their own for.
HARD = "c4'n \"a$r%y\\Zq/81@é"

HOST = host()
GOLDEN = [document for _name, document in goldens.inventories()]


def texts(document: Any) -> list[tuple[Any, ...]]:
    """The places of all strings of a document, and of a few that are not there but could be."""
    return [place for place in places(document) if place and not isinstance(at(document, place), (dict, list))]


def at(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


def with_variable(document: Any, entry: str, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with one more variable in its last container, and another value at one place."""
    found = copy.deepcopy(document)
    config = found["containers"][-1].get("Config")
    if isinstance(config, dict):
        config["Env"] = [*(config.get("Env") or []), entry]
    node = at(found, place[:-1])
    node[place[-1]] = value
    return found


def leaving(document: Any, version: str = "5.4.2", policy: Any = None) -> Any:
    """All that leaves the target about an inventory."""
    secrets = of_inventory(document, ())
    try:
        plan = make_plan(document, policy, version)
    except PlanError as error:
        return secrets.telling.text(str(error))
    shown = masked_plan(plan, secrets)
    return [{key: value for key, value in shown.items() if key != "registries"}, report(shown), obstacles(shown)]


def strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for child in [*node.keys(), *node.values()] if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from strings(child)


def bare(text: str) -> str:
    """A text without the escapes that shells, JSON and units put into it."""
    return "".join(char for char in text.replace("%%", "%").replace("$$", "$") if char not in "\\\"'")


def shows(node: Any, secret: str) -> list[str]:
    return [text for text in strings(node) if secret in text or bare(secret) in bare(text)]


WRITTEN = {
    "itself": str,
    "a part of a word": "--with={}.".format,
    "a part of a command": "exec serve {} --verbose".format,
    "password in a URL": "postgres://app:{}@db:5432/app".format,
    "in a shell": lambda secret: "login " + shlex.quote(secret),
    "in JSON": lambda secret: json.dumps({"x": [secret]}),
    "in a URL": lambda secret: "http://db/?x=" + quote(secret, safe=""),
    "in base64": lambda secret: "Bearer " + base64.b64encode(("app:" + secret).encode()).decode(),
}
HELD = {
    "DB_PASSWORD={}": str,
    "DATABASE_URL=postgres://app:{}@db:5432/app": lambda secret: quote(secret, safe=""),
    'SPRING_JSON={{"db.password": {}}}': json.dumps,
    "TLS_PRIVATE_KEY=-----BEGIN-----\n{}\n-----END-----": str,
    "CLIENT_AUTH=admin:{}": str,
}


@pytest.mark.parametrize(
    ("secret", "entry", "ways"),
    [
        (HARD, "DB_PASSWORD={}", list(WRITTEN)),
        ("CorrectHorse", "DB_PASSWORD={}", list(WRITTEN)),
        *((HARD, entry, ["itself"]) for entry in HELD),
    ],
)
def test_a_secret_shows_nowhere_wherever_else_it_stands(secret, entry, ways):
    forms = [secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()[:-4]]
    value, given_entry = " ".join(WRITTEN[way](secret) for way in ways), entry.format(HELD[entry](secret))
    found = []
    for place in texts(HOST):
        shown = leaving(with_variable(HOST, given_entry, place, value), policy=POLICY)
        found += [(place, text) for form in forms for text in shows(shown, form)]
    assert found == []


@pytest.mark.parametrize("version", VERSIONS)
def test_no_variable_at_all_shows_with_its_value(version):
    found = []
    for place in texts(HOST):
        if "Env" in place:
            document = damaged(place, "GREETING=" + CANARY)
            found += [(place, text) for text in shows(leaving(document, version), CANARY)]
        for character in ("\0", "\ud800", "\ufffe", "\n", "x" * 140000):
            if "Env" in place:
                document = damaged(place, "GREETING=" + CANARY + character)
                found += [(place, text) for text in shows(leaving(document, version), CANARY)]
    assert found == []


@PROFILE
@given(st.data())
def test_whatever_the_secret_and_whatever_the_engine_said(data):
    document = data.draw(st.sampled_from(GOLDEN))
    place = data.draw(st.sampled_from(texts(document)))
    secret = data.draw(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=8, max_size=30)
    )
    way = data.draw(st.sampled_from(sorted(WRITTEN)))
    secret = "Zq" + secret.strip() + "81"
    changed = with_variable(document, "DB_PASSWORD=" + secret, place, WRITTEN[way](secret))
    shown = leaving(changed, data.draw(st.sampled_from(VERSIONS)))
    assert shows(shown, secret) == []
