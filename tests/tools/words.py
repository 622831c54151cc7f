"""Words that have no place in the tree.

A mirror written into a file breaks the build of whoever has another one, and a path of one machine breaks on every
other. Each pattern is written so that it does not match itself.
"""

from __future__ import annotations

import re

import tree
from steps import ROOT, Failed

FORBIDDEN = {
    "a package registry's host name (take it from the machine's configuration)": (
        r"(deb|security|ftp|snapshot)[.]debian[.]org",
        r"(archive|security|ports)[.]ubuntu[.]com",
        r"pypi[.]org|python(hosted)[.]org",
        r"(galaxy|console)[.](ansible|redhat)[.]com",
        r"(npmjs)[.]org|proxy[.]golang[.]org|(crates)[.]io",
    ),
    "a path of one machine": (
        r"[/]work[/](main|shared|[.]\w)",
        r"[/]home[/](?!user\b)\w+[/]",
        r"[/]tmp[/](spec|log)[/]",
    ),
}


def findings(path: str, text: str) -> list[str]:
    """One line `path:number: what` for each forbidden word in a text."""
    return [
        f"{path}:{number}: {what}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, patterns in FORBIDDEN.items()
        if any(re.search(pattern, line) for pattern in patterns)
    ]


def check() -> None:
    """Raise Failed when a file of the tree holds a forbidden word."""
    found = [line for path in tree.files() for line in findings(path, (ROOT / path).read_text(errors="replace"))]
    print(*found, sep="\n")
    if found:
        raise Failed(f"{len(found)} forbidden words")
