# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a laptop: the same plan from a saved inventory, without any host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan.translate import make_plan
from ansible_collections.podshift.docker_to_podman.tests.unit.plugins.documents import (
    container,
    inventory,
    service,
)

MEMBERS = [service("blog", "web"), service("blog", "db"), container("cache", Config__Env=["PATH=/bin", "COLOUR=mauve"])]


def assess(saved: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    extra = [word for variable in (f"assess_inventory_file={saved}", *variables) for word in ("-e", variable)]
    argv = ["ansible-playbook", "podshift.docker_to_podman.assess", *extra]
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


@pytest.mark.parametrize("document", [inventory(MEMBERS), MEMBERS], ids=["inventory", "docker inspect"])
def test_a_saved_inventory_gives_plan_units_and_findings(tmp_path, document):
    saved, folder = tmp_path / "saved.json", tmp_path / "units"
    saved.write_text(json.dumps(document))
    done = assess(saved, "assess_podman_version=5.4.2", f"assess_output_dir={folder}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "workload blog (pod)" in done.stdout
    assert "pod-shares-localhost" in done.stdout
    assert "mauve" not in done.stdout + done.stderr
    wanted = make_plan(document, {}, "5.4.2")
    assert json.loads((folder / "plan.json").read_text()) == wanted
    units = {name: text for workload in wanted["workloads"] for name, text in workload["units"].items()}
    assert {path.name: path.read_text() for path in folder.iterdir() if path.name != "plan.json"} == units
    assert 'Environment="COLOUR=mauve"' in units["cache.container"]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ["damaged"]),
        ('[{"Name": "/x"}', ["damaged"]),
        ("[3]", ["containers[0]"]),
        ('{"format": 1, "containers": {}}', ["containers"]),
        ("[]", ["podman_version"]),
    ],
)
def test_what_is_no_inventory_is_refused_in_a_sentence(tmp_path, content, words):
    saved = tmp_path / "saved.json"
    saved.write_text(content)
    done = assess(saved)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert all(word in said for word in words), said
    assert "Traceback" not in said
