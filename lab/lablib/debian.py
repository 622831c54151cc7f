"""mmdebstrap, and the programs of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from .cache import LabError


def require(*programs: str) -> None:
    """Name every missing program at once."""
    missing = [name for name in programs if shutil.which(name, path=_path()) is None]
    if missing:
        raise LabError(f"Install what the lab needs first; missing: {', '.join(missing)}.")


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def run(argv: list[str], log: Path, cwd: Path | None = None) -> None:
    """Run a program, its output into a log that the error quotes."""
    environment = {**os.environ, "PATH": _path(), "LC_ALL": "C.UTF-8"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    try:
        code = process.wait()
    except BaseException:
        # mmdebstrap unmounts and removes what it began, once all of its processes have heard of it.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    if code:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"{argv[0]} failed with exit code {code}:\n{tail}")


def apt_lines(*argv: str) -> list[str]:
    """What this machine's own apt says; nothing where there is no apt."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def mmdebstrap(suite: str, target: Path, options: list[str], log: Path) -> None:
    """One root file system as a tar, from the mirror this machine uses itself."""
    sites = apt_lines(
        "apt-get", "indextargets", "--format", "$(REPO_URI)",
        "Created-By: Packages", "Origin: Debian", "Label: Debian",
    )  # fmt: skip
    mirror = [uri for uri in sites if uri.startswith(("http://", "https://"))][:1]
    proxies = [
        f"--aptopt={line}"
        for line in apt_lines("apt-config", "dump", "Acquire::http", "Acquire::https")
        if "::Proxy " in line
    ]
    mode = "root" if os.geteuid() == 0 else "unshare"
    run(
        ["mmdebstrap", f"--mode={mode}", "--aptopt=Acquire::Check-Valid-Until \"false\"",
         *proxies, *options, suite, str(target), *mirror],
        log,
    )  # fmt: skip
