# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work as a service of its own, which a module starts and follows (private to the collection).

It goes on when the module, the connection or the controller is gone, and whoever comes next follows it. systemd ends
what it started (rsync, skopeo) together with it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from .._common import zipapp
from .._common.errors import UserError, message_of
from .._common.files import make_folder
from .._common.json import Json
from .._common.progress import Progress
from .._inventory.host_facts import proxies
from .._move.guard import RECOVER
from .._state.records import load_json, write_json
from . import transient_unit
from .entry_point import PROGRESS, RESULT, TASK
from .tasks import answer

# What every module that follows a job can be given (doc_fragments/job.py).
ARGUMENTS: dict[str, dict[str, Any]] = {
    "job": {"type": "str", "default": ""},
    "wait": {"type": "float", "default": 0},
}
RUN_DIR = "/run/docker_to_podman"
_PROGRAM = "program.pyz"
_JOB = re.compile(r"[0-9a-f]{32}\Z")
_STEP, _ASK = 0.2, 3.0


class _Kind(NamedTuple):
    """How a kind of work runs: properties of its service, the service that takes over when it fails, and what to say
    when it is gone without a result."""

    properties: tuple[str, ...]
    successor: str
    remedy: str


# The mask is what skopeo wants: with a narrower one the root folder of an image is closed to all but root. Docker's
# containers come first where processor or disk are short; in a move they stand still.
_STAGING = _Kind(
    ("UMask=0022", "CPUWeight=50", "IOWeight=50"), "", "Docker is untouched: run this again, which goes on from there."
)
_KINDS = {
    "images": _STAGING,
    "volumes": _STAGING,
    "workloads": _Kind(
        ("UMask=0022", "OnFailure=" + RECOVER),
        RECOVER,
        "See also journalctl -u {0}, and run this again.".format(RECOVER),
    ),
}


class JobError(Exception):
    """The work failed or was killed. The message says why and what to do."""


def call(work: str, given: Json, check: bool) -> Json:
    """What a module answers: the result of the work, or ``{finished: false, job, progress}`` when ``given["wait"]``
    seconds have passed. In check mode the work, which then changes nothing, is done on the spot.

    Raises JobError.
    """
    if check:
        return _result(answer(work, given, True, Progress()))
    try:
        return Job(work).follow(given)
    except (UserError, OSError) as error:
        raise JobError(message_of(error)) from None


def _result(found: Json) -> Json:
    if "error" in found:
        raise JobError(str(found["error"]))
    return dict(found["result"])


class Job:
    """One kind of work on this host, of which there is never more than one under way. Each job has a folder of its
    own."""

    def __init__(self, work: str, run_dir: str = RUN_DIR) -> None:
        self._work = work
        self._unit = "docker_to_podman-{0}.service".format(work)
        self._kind = _KINDS[work]
        self._folder = Path(run_dir, work)

    def follow(self, given: Json) -> Json:
        """Wait for the job ``given["job"]``; without one begin a job, after whatever an earlier run left under way."""
        job, until = given["job"], time.monotonic() + (given["wait"] or float("inf"))
        if job and not _JOB.match(job):
            raise JobError("{0!r} cannot be the ID of a job; leave out the option job.".format(job))
        while True:
            with self._alone():
                if not job and not self._is_under_way():
                    job = self._begin(given)
            asked = 0.0
            while not self._has_ended(job):
                now = time.monotonic()
                # Asking systemd costs more than looking for a file, and is needed only for work that was killed.
                if now - asked >= _ASK:
                    if not self._is_under_way():
                        break
                    asked = now
                if now >= until:
                    return {"changed": False, "finished": False, "job": job, "progress": self._progress(job)}
                time.sleep(_STEP)
            if job:
                return self._result(job)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_folder(self._folder)
        with open(str(self._folder.with_suffix(".lock")), "w", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _begin(self, given: Json) -> str:
        self._sweep()
        job = uuid.uuid4().hex
        folder = self._folder / job
        make_folder(folder)
        zipapp.write(folder / _PROGRAM)
        # Proxies may hold passwords: in this file, which is for root alone, and in no list of processes.
        environment = proxies("=".join(item) for item in os.environ.items())
        write_json(folder / TASK, {"work": self._work, "arguments": given, "environment": environment})
        transient_unit.start(self._unit, [sys.executable, str(folder / _PROGRAM), str(folder)], self._kind.properties)
        return job

    def _sweep(self) -> None:
        """Remove earlier jobs, but for the last one that finished: another controller may still ask for its result."""
        finished = sorted(self._folder.glob("*/" + RESULT), key=lambda path: path.stat().st_mtime_ns)
        kept = [path.parent for path in finished[-1:]]
        for folder in self._folder.iterdir():
            if _JOB.match(folder.name) and folder not in kept:
                shutil.rmtree(str(folder))

    def _has_ended(self, job: str) -> bool:
        """Whether this job has left its result, or was swept away."""
        folder = self._folder / job
        return bool(job) and (not folder.is_dir() or (folder / RESULT).exists())

    def _result(self, job: str) -> Json:
        folder = self._folder / job
        with self._alone():
            found = load_json(folder / RESULT) if (folder / RESULT).exists() else None
            is_gone = not folder.is_dir()
        if is_gone:
            raise JobError(
                "The work on {0} that was followed here left no result, or later runs have removed it. {1}".format(
                    self._work, self._kind.remedy
                )
            )
        if found is None:
            raise JobError(
                "The work on {0} ended without a result ({1}); see journalctl -u {2}. {3}".format(
                    self._work, transient_unit.ending(self._unit), self._unit, self._kind.remedy
                )
            )
        return {**_result(found), "finished": True}

    def _is_under_way(self) -> bool:
        successor = self._kind.successor
        return transient_unit.is_under_way(self._unit) or (bool(successor) and transient_unit.is_at_work(successor))

    def _progress(self, job: str) -> Json:
        """What this job shows; without one, that which has no result yet."""
        with self._alone():
            for path in self._folder.glob((job or "*") + "/" + PROGRESS):
                if job or not (path.parent / RESULT).exists():
                    return dict(load_json(path))
        return {}
