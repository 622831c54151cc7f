# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules run in the process of the tests, with the arguments that Ansible would send."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn

import pytest
from ansible.module_utils import basic


def give(monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]) -> None:
    """Have the next module read these arguments."""
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)


def answer(monkeypatch: pytest.MonkeyPatch, module: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a module leaves with, whether or not it fails."""
    give(monkeypatch, arguments)
    answers: list[dict[str, Any]] = []

    def leave(_module: object, **result: Any) -> NoReturn:
        answers.append(result)
        raise SystemExit(0)

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", leave)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", leave)
    monkeypatch.setattr(sys, "argv", ["module"])
    with pytest.raises(SystemExit):
        module.main()
    return answers[0]
