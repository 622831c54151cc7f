"""Run steps one after the other, say how long each took, and close with an honest count."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"

# Output goes through a file first, and has to be read by patterns.
PLAIN = {"NO_COLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "PY_COLORS": "0"}
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Failed(Exception):
    """A step failed; str() is the sentence for the summary."""


class Skipped(Exception):
    """A step had nothing to do; str() is the reason."""


@dataclass(frozen=True)
class Step:
    """A name for the summary and an action that raises Failed or Skipped, or returns."""

    name: str
    action: Callable[[], None]


def run(
    argv: Sequence[str],
    *,
    must: str | None = None,
    never: Sequence[str] = (),
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    timeout: float = 1800,
) -> None:
    """Run a program, show its output, and raise Failed unless it succeeded and did something.

    must: regular expression that its output has to match: the proof that something was executed.
    never: regular expressions of what it says, with exit code 0, when it left something out.
    timeout: seconds after which it and its children are ended.
    """
    code, output = _follow(argv, cwd, {**os.environ, **PLAIN, **(env or {})}, timeout)
    if code is None:
        raise Failed(f"{argv[0]} did not end within {timeout:.0f} s")
    if code:
        raise Failed(f"{argv[0]} ended with exit code {code}")
    complaint = nothing_done(output, must, never)
    if complaint:
        raise Failed(f"{argv[0]} ended with exit code 0, but {complaint}")


def nothing_done(output: str, must: str | None, never: Sequence[str]) -> str | None:
    """Say what a program's output gives away about work that was left out, or None."""
    text = ANSI.sub("", output)
    for pattern in never:
        found = re.search(pattern, text)
        if found:
            return f"it said: {found.group(0).strip()}"
    if must and not re.search(must, text):
        return "nothing in its output shows that anything was executed"
    return None


def _follow(argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float) -> tuple[int | None, str]:
    """Return exit code (None: timed out) and output, which is shown while it grows.

    A file and not a pipe: a virtual machine left running holds a pipe open, and its reader would wait for ever.
    """
    log = CACHE / "log" / f"{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    with log.open("wb") as sink, log.open("rb") as source:
        with subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        ) as process:
            seen = []
            try:
                while process.poll() is None and time.monotonic() < deadline:
                    seen.append(_show(source.read()))
                    time.sleep(0.05)
            finally:
                code = process.poll()
                if code is None:
                    _end(process)
            seen.append(_show(source.read()))
    log.unlink()
    return code, b"".join(seen).decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children, gently first."""
    for what in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, what)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            continue
        return


def _show(data: bytes) -> bytes:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return data


# How long each step took that passed, by its name: a later one may be chosen by that.
SECONDS: dict[str, float] = {}


def run_steps(steps: Iterable[Step]) -> int:
    """Run all steps, whatever becomes of each, and print the summary; return the exit code."""
    lines: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
    for number, step in enumerate(steps, 1):
        print(f"\n==> {number}: {step.name}", flush=True)
        start = time.monotonic()
        verdict, reason = _verdict(step)
        seconds = time.monotonic() - start
        if verdict == "passed":
            SECONDS[step.name] = seconds
        line = f"{verdict:7} {seconds:7.1f} s  {step.name}{reason and ': ' + reason}"
        lines[verdict].append(line)
        print(f"<== {line}", flush=True)
    print("\nSummary", *lines["passed"], *lines["skipped"], *lines["failed"], "", sep="\n")
    skipped = f", {len(lines['skipped'])} skipped" if lines["skipped"] else ""
    print(f"{len(lines['passed'])} passed, {len(lines['failed'])} failed{skipped}", flush=True)
    return 0 if any(lines.values()) and not lines["failed"] else 1


def _verdict(step: Step) -> tuple[str, str]:
    try:
        step.action()
    except Skipped as error:
        return "skipped", str(error)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        return "failed", str(error)
    return "passed", ""
