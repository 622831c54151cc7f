# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The walls between the rooms of module_utils: which room may import which. CONTRIBUTING has the map."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4] / "plugins" / "module_utils"
PACKAGE = "ansible_collections.podshift.docker_to_podman.plugins.module_utils"

# From the ground up. A room may import the rooms of the lines before its own; of its own line only what PEERS says.
FLOORS = [
    ["_common"],
    ["_plan", "_state"],
    ["_host", "_podman", "_trees"],
    ["_docker", "_network", "_volumes"],
    ["_images", "_inventory"],
    ["_workload"],
    ["_move"],
    ["_removal", "_job"],
]
PEERS: dict[str, set[str]] = {}
# A room that may import less than its floor allows.
ONLY = {"_plan": {"_common"}}


def allowed(room: str) -> set[str]:
    """The rooms that a room may import, itself included."""
    height = next(number for number, floor in enumerate(FLOORS) if room in floor)
    below = {other for floor in FLOORS[:height] for other in floor}
    return ONLY.get(room, below | PEERS.get(room, set())) | {room}


def imports(source: str, place: tuple[str, ...]) -> set[str]:
    """The rooms that a file imports; ``place`` is its path below module_utils."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = [*PACKAGE.split("."), *place[:-1]]
            start = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            names = ["{0}.{1}".format(base, alias.name) for alias in node.names]
        found.update(name[len(PACKAGE) + 1 :].split(".")[0] for name in names if name.startswith(PACKAGE + "."))
    return found


def forbidden(source: str, place: tuple[str, ...]) -> set[str]:
    """The rooms that a file imports and must not."""
    return imports(source, place) - allowed(place[0])


FILES = sorted(path.relative_to(ROOT).parts for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("place", FILES, ids="/".join)
def test_imports_point_downwards(place):
    assert forbidden(ROOT.joinpath(*place).read_text(encoding="utf-8"), place) == set()


def test_every_room_is_on_a_floor_and_has_a_caption():
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == {room for floor in FLOORS for room in floor}
    for folder in {ROOT.joinpath(*place[:-1]) for place in FILES}:
        caption = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
        assert 2 <= len(caption.splitlines()) <= 5, folder
        assert "Begin with" in caption, folder


def test_the_map_of_contributing_names_what_is_there():
    page = Path(__file__).parents[4] / "CONTRIBUTING.md"
    text = page.read_text(encoding="utf-8").split("## Work on it")[0]
    rooms = re.findall(r"^\| `(_\w+)` \|", text, re.M)
    assert rooms == [room for floor in FLOORS for room in floor]
    files = re.findall(r"`(_\w+/[\w/]+\.py)`", text)
    assert files
    assert all(ROOT.joinpath(file).is_file() for file in files), files


@pytest.mark.parametrize(
    ("line", "place", "found"),
    [
        ("from .._move import cutover", ("_workload", "precheck.py"), {"_move"}),
        ("from .._move.cutover import steps", ("_common", "errors.py"), {"_move"}),
        ("from .. import _docker", ("_state", "journal.py"), {"_docker"}),
        ("from ..._state import journal", ("_plan", "_topics", "mounts.py"), {"_state"}),
        ("import {0}._job.client".format(PACKAGE), ("_move", "run.py"), {"_job"}),
        ("from {0} import _job".format(PACKAGE), ("_removal", "bridges.py"), {"_job"}),
        ("def late():\n    from .._images import copier", ("_docker", "api.py"), {"_images"}),
        ("from .._network import iptables", ("_volumes", "rounds.py"), {"_network"}),
        ("from .._podman import units", ("_trees", "rsync.py"), {"_podman"}),
        ("from .._tables import options\nfrom ..model import Finding", ("_plan", "_topics", "mounts.py"), set()),
        ("from .precheck import look\nimport json", ("_workload", "readiness.py"), set()),
    ],
)
def test_what_points_upwards_or_to_a_neighbour_is_found(line, place, found):
    assert forbidden(line, place) == found
