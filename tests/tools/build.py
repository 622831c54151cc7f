"""Build the collection's archive and look at what is in it."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterable

from steps import CACHE, Failed, run

EXPECTED = {
    *("CHANGELOG.md", "CONTRIBUTING.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md"),
    *("changelogs", "docs", "meta", "playbooks", "plugins", "roles"),
}
NEEDED = {"LICENSE", "MANIFEST.json", "README.md", "meta/runtime.yml"}


def complaints(names: Iterable[str]) -> list[str]:
    """Say what is wrong with an archive of these members."""
    members = set(names)
    surplus = sorted({name.split("/")[0] for name in members} - EXPECTED)
    return [f"surplus: {name} (add it to build_ignore in galaxy.yml)" for name in surplus] + [
        f"missing: {name}" for name in sorted(NEEDED - members)
    ]


def build() -> None:
    """Build into .cache/build, or raise Failed."""
    shutil.rmtree(CACHE / "build", ignore_errors=True)
    run(["ansible-galaxy", "collection", "build", "--output-path", str(CACHE / "build")])
    (archive,) = (CACHE / "build").glob("*.tar.gz")
    with tarfile.open(archive) as members:
        wrong = complaints(members.getnames())
    if wrong:
        raise Failed("; ".join(wrong))
