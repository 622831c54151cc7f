# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over workloads, each a transaction of its own (private to the collection)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, Callable, Mapping, Sequence

from .._common.errors import UserError, message_of
from .._common.json import Json
from .._common.signals import Interrupted
from .._docker.api import Docker
from .._network.probe import Outside
from .._podman import units
from .._state import journal, ownership
from .._state.engine_state import container_ids
from .._state.journal import DOCKER, PODMAN
from .._state.records import StateError
from .._workload import wait_docker
from .._workload.docker_containers import DockerSide
from .._workload.move_record import RECORD
from . import directions, guard, recovery, transaction
from . import result as outcome
from .directions import Host, Move
from .revive import require_installed, revive
from .transaction import Transaction

# Seconds of a week: who waits longer has made a mistake.
_LONGEST = 7 * 24 * 3600
# Seconds after an undo in which Docker's containers have to be as they were before it; later they are taken as they are.
_SETTLING = 600


def move(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """Move the workloads to ``params["engine"]``; ``params`` and the result are those of the module ``workload``."""
    plan, engine = ownership.load(params["plan_path"], params["state_dir"])
    if not 0 < params["ready_timeout"] < _LONGEST:
        raise StateError("ready_timeout is no number of seconds up to a week; nothing was changed.")
    timeouts = _timeouts(
        params["ready_timeouts"], {item["name"] for item in plan["workloads"]}.union(engine.journals())
    )
    host = Host(engine, Docker(params["socket"]), Outside(), params["ready_timeout"], plan["hash"], timeouts)
    with nullcontext() if check else ownership.locked(engine):
        recovered, broken = recovery.recover(engine, host.docker, check)
        moves = (directions.returns if params["engine"] == DOCKER else directions.cutovers)(plan, host, params)
        installed = {name: text for item in plan["workloads"] for name, text in units.read(item["units"]).items()}
        leaving = [item for item in moves if not (_is_there(host, item) or _moved_otherwise(host, item))]
        revives = _revives(host, params, leaving, broken, check)
        leaving = [item for item in leaving if item.name not in broken]
        acts = bool(leaving) and not check
        # An upgrade of the distribution may have taken from the services what they run.
        if acts or (not check and guard.is_needed(str(engine.root.parent))):
            guard.install(str(engine.root.parent))
        if revives and not check:
            revive(engine)
        with host.outside if acts else nullcontext():
            if acts:
                names = dict.fromkeys([*recovered, *(item.name for item in leaving)])
                broken.update(_unsettled(host, [name for name in names if name not in broken]))
            results = _each(lambda item: broken.get(item.name) or one(host, item, check), moves, params["parallel"])
            results += [broken[name] for name in sorted(set(broken).difference(item.name for item in moves))]
    if not check:
        guard.remove(str(engine.root.parent))
        guard.calm(str(engine.root.parent))
    return {
        "changed": bool(recovered) or revives or any(result["changed"] for result in results),
        "workloads": results,
        "recovered": recovered,
        "left_on_docker": outcome.left_on_docker(plan, engine, results, host.docker),
        "diff": outcome.differences(plan, results, installed),
    }


def _timeouts(given: Mapping[str, Any], names: set[str]) -> dict[str, float]:
    """Deadlines by workload. StateError for a name that is none, or what is no number of seconds."""
    found = {}
    for name, seconds in given.items():
        if name not in names:
            raise StateError("ready_timeouts names {0}, which is no workload; nothing was changed.".format(name))
        try:
            found[name] = float(seconds)
        except (TypeError, ValueError):
            found[name] = 0
        if not 0 < found[name] < _LONGEST:
            raise StateError(
                "ready_timeouts gives {0} no number of seconds up to a week; nothing was changed.".format(name)
            )
    return found


def _revives(host: Host, params: Json, leaving: Sequence[Move], broken: dict[str, Json], check: bool) -> bool:
    """Whether a retired Docker comes back for these moves; what stands against one already becomes its result in ``broken``."""
    # All go back: also when none is there, on a host whose Docker was empty.
    if not host.engine.retired or params["engine"] != DOCKER or (params["workloads"] and not leaving):
        return False
    require_installed()
    broken.update(_refused(leaving, check))
    return not broken or any(item.name not in broken for item in leaving)


def _refused(moves: Sequence[Move], check: bool) -> dict[str, Json]:
    """Results for those against which something stands already while their engine sleeps."""
    found = {}
    for item in moves:
        try:
            item.require(check)
        except (UserError, OSError) as error:
            found[item.name] = outcome.not_moved(item.name, "refused", message_of(error))
    return found


def _unsettled(host: Host, names: Sequence[str]) -> dict[str, Json]:
    """Results for those of the workloads that do not come up in Docker, which has just got them back: what does not answer
    yet would not be asked for after the next move."""
    found = {}
    for name in names:
        events = host.engine.journal(name)
        if journal.undone_since(events) > _SETTLING or journal.owner(events) != DOCKER:
            continue
        last = journal.attempts(events)[-1]
        if "stop_docker" not in journal.begun(last):
            continue
        record = journal.notes(last)[RECORD]
        side = DockerSide(host.docker)
        if side.gone(record["containers"]):
            # It was created anew, so the plan is outdated, which is said below.
            continue
        try:
            wait_docker.wait(side.without_ended(record), host.outside, host.docker, host.timeout(name))
        except UserError as error:
            found[name] = outcome.not_moved(name, "refused", str(error))
    return found


def _each(action: Callable[[Move], Json], moves: Sequence[Move], parallel: int) -> list[Json]:
    """The results of all, so many at a time. Signals reach the main thread, where one after the other is done."""
    if parallel <= 1:
        return [action(item) for item in moves]
    with ThreadPoolExecutor(parallel) as pool:
        return [result.result() for result in [pool.submit(action, item) for item in moves]]


def one(host: Host, item: Move, check: bool) -> dict[str, Any]:
    """Bring one workload to where it belongs, and say how it went."""
    events = host.engine.journal(item.name)
    is_there = _is_there(host, item)
    run = Transaction(host.engine.journal_path(item.name), host.plan_hash, item.goal, item.before, item.after)
    result = {**outcome.EMPTY, "name": item.name, "state": "committed", "ports": item.planned["ports"]}
    is_otherwise = not is_there and _moved_otherwise(host, item)
    late = _latecomers(host, item) if is_there or is_otherwise else ""
    if late:
        return {**result, "state": "refused", "reason": late}
    if is_otherwise:
        return result
    try:
        is_cut_off = bool(journal.interrupted(events))
        if not is_there:
            result["state"] = journal.owner(events)
            # What is undone first is not yet as it will be then.
            if not is_cut_off:
                item.require(check)
        if check:
            # Nothing connects to a retired engine, so all that is known is what its way back consists of.
            is_asleep = item.goal == DOCKER and host.engine.retired
            steps = (
                [step.name for step in (*item.before, *item.after)]
                if is_asleep or is_cut_off
                else run.pending(item.planned)
            )
            return {**result, "changed": bool(steps), "steps": steps}
        run.run(item.commit)
        result["state"] = "committed"
    except transaction.RolledBack as error:
        where = outcome.whereabouts(item.planned, host.docker)
        result.update(state="stuck" if error.failures else "rolled_back", reason=outcome.undone(error, where))
        if isinstance(error.__cause__, Interrupted):
            raise Interrupted(result["reason"]) from None
    except transaction.Unfinished as error:
        result.update(state="unfinished", reason="It moved, but was not completed: {0}".format(error))
    except (UserError, OSError) as error:
        result.update(state="refused", reason=message_of(error))
    return {**result, **outcome.of(run)}


def _is_there(host: Host, item: Move) -> bool:
    return journal.owner(host.engine.journal(item.name)) == item.goal


def _latecomers(host: Host, item: Move) -> str:
    """Why a workload that has moved has not moved as a whole; "" when it has."""
    moved = container_ids(host.engine.committed())
    names = [container["name"] for container in item.planned["containers"] if container["id"] not in moved]
    if item.goal == DOCKER or not names:
        return ""
    return (
        "It has moved to Podman without {0}, which Docker created since. Remove that from Docker, exclude it in the policy, or "
        "bring the workload back with rollback.yml and move it as a whole. Nothing was changed.".format(
            ", ".join(names)
        )
    )


def _moved_otherwise(host: Host, item: Move) -> bool:
    """Whether it moved under another name, by an earlier plan; this journal has nothing to finish."""
    moved = container_ids(host.engine.committed())
    return item.goal == PODMAN and any(container["id"] in moved for container in item.planned["containers"])
