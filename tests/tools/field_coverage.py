"""docs/field-coverage.md from the tables of the plan.

usage: field_coverage.py        write it
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from steps import ROOT

sys.path.insert(0, str(ROOT / ".cache" / "collections"))

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan import fields
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan._documents import daemon
from ansible_collections.podshift.docker_to_podman.plugins.module_utils._plan._tables import (
    container_fields,
    options,
    resource_fields,
)

PAGE = ROOT / "docs" / "field-coverage.md"

HEAD = """# What becomes of every field

Generated from the tables of `plugins/module_utils/_plan/` by `make docs`; the tests fail when it is stale.

A row covers its path and everything below it; `[]` is an entry of a list, `*` a key of a map. Where a Podman is too old
for a key, the same option goes through `PodmanArgs=` with its flag. Versions of Podman without a package at hand are
planned by these tables alone; the generators of 5.4 and 5.8 have been asked (`make generators`).

- **translated**: written into a unit, or it decides what is written there
- **unless the image's**: translated where it differs from what the image says
- **info**, **warning**, **blocker**: a finding when it is set; a warning has to be accepted, a blocker stops the host
- **result**: what the engine made of the settings
- **not applicable**: it has no effect on what runs
"""

WORDS = {
    fields.TRANSLATED: "translated",
    fields.IMAGE: "unless the image's",
    fields.RUNTIME: "result",
    fields.NOT_APPLICABLE: "not applicable",
}
SECTIONS = (
    ("Containers", container_fields.CONTAINER, "Container"),
    ("Networks", resource_fields.NETWORK, "Network"),
    ("Volumes", resource_fields.VOLUME, "Volume"),
)


def text() -> str:
    """The whole page."""
    tables = [
        f"## {title}\n\n| path | what becomes of it | as | remark |\n| --- | --- | --- | --- |\n" + _rows(rows, section)
        for title, rows, section in SECTIONS
    ]
    return "\n".join([HEAD, *tables, _daemon()])


def _rows(rows: Iterable[fields.Field], section: str) -> str:
    return "".join(
        f"| `{row.path}` | {_kind(row)} | {', '.join(_option(name, section) for name in row.becomes)} | {row.remark} |\n"
        for row in sorted(rows, key=lambda row: row.path)
    )


def _kind(row: fields.Field) -> str:
    return WORDS.get(row.kind, f"**{row.kind}** `{row.code}`")


def _option(name: str, section: str) -> str:
    option = options.SECTIONS[section].get(name)
    if option is None:
        return name if name.startswith(("finding", "in ")) else f"`{name}`"
    flag = option.flag.replace("={}", "")
    if not option.key:
        return f"`PodmanArgs={flag}`"
    since = ".".join(str(part) for part in option.since[:2])
    return f"`{option.key}=` ({since})"


def _daemon() -> str:
    rows = "".join(
        f"| `{name}` | {row.kind if row.kind in ('merged', 'handled') else f'**{row.kind}** `daemon-option`'} | {row.reason} |\n"
        for name, row in sorted(daemon.TABLE.items())
    )
    return "## Settings of the daemon\n\n| key | what becomes of it | remark |\n| --- | --- | --- |\n" + rows


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
