"""The steps behind `make check`, `make sanity`, `make units`, `make generators`, `make scenarios` and `make test`.

usage: run.py GROUP...
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial

import ansible_tests
import sample
import scenarios
import tree
import words
from build import build
from steps import ROOT, Step, run, run_steps

COLLECTION = "ansible_collections.podshift.docker_to_podman"


def shell_scripts() -> list[str]:
    """Files of the tree that begin like a shell script."""
    return [path for path in tree.files() if (ROOT / path).open("rb").readline().rstrip().endswith((b"bash", b"/sh"))]


def check_steps() -> list[Step]:
    """The fast part."""
    mypy = {"MYPYPATH": ".cache/collections:tests/tools"}
    return [
        Step("words", words.check),
        Step("ruff check", partial(run, ["ruff", "check", "--output-format=concise", "."], must="All checks passed")),
        Step(
            "ruff format",
            partial(
                run, ["ruff", "format", "--check", "--output-format=concise", "."], must=r"\d+ files? already formatted"
            ),
        ),
        Step("mypy", partial(run, ["mypy"], env=mypy, must=r"no issues found in \d+ source file")),
        Step("yamllint", partial(run, ["yamllint", "--strict", "."])),
        Step("shellcheck", lambda: run(["shellcheck", "--exclude=SC1091", *shell_scripts()])),
        Step("ansible-lint", partial(run, ["ansible-lint"], must=r"Passed: 0 failure")),
        Step("changelog", partial(run, ["antsibull-changelog", "lint"])),
        Step("documentation", partial(run, ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "."])),
        Step("build", build),
        Step("unit tests", partial(run, ["pytest", "-q"], must=r"\b[1-9]\d* passed")),
    ]


def generators_steps() -> list[Step]:
    """What needs the root file systems of two Debian releases, which the first run builds."""
    return [Step("generators", partial(run, ["pytest", "-q", "tests/generator"], must=r"\b[1-9]\d* passed"))]


GROUPS: dict[str, Callable[[], list[Step]]] = {
    "check": check_steps,
    "sanity": ansible_tests.sanity_steps,
    "units": lambda: ansible_tests.units_steps(ansible_tests.versions()),
    "generators": generators_steps,
    "scenarios": scenarios.all_steps,
    "default": scenarios.default_steps,
    "sample": sample.steps,
    "build": lambda: [Step("build", build)],
}


def main(groups: list[str]) -> int:
    """Run the groups' steps; return the exit code."""
    if not groups or not set(groups) <= set(GROUPS):
        print(__doc__, f"groups: {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run_steps(step for group in groups for step in GROUPS[group]())
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
