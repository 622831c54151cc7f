# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running as it ran: restart policies in systemd's words (private to the collection)."""

from __future__ import annotations

from typing import Any

from ..._common.json import Json, dig, mapping, text
from .._documents.containers import is_running

_STEPS_SINCE = 254
"""The first systemd with RestartSteps= and RestartMaxDelaySec= (systemd.service(5))."""


def policy_name(policy: Json | None) -> str:
    """The name of a restart policy, HostConfig.RestartPolicy; that of none is ``no``."""
    return text(mapping(policy).get("Name")) or "no"


def is_for_once(policy: Json | None) -> bool:
    """Whether Docker does not start again what has ended well."""
    return policy_name(policy) in ("no", "on-failure")


def service_lines(container: Json, systemd: int) -> list[tuple[str, str]]:
    """The [Service] lines of the restart policy. systemd must not give up where Docker would not."""
    policy = mapping(dig(container, "HostConfig.RestartPolicy"))
    name = text(policy.get("Name"))
    if name in ("", "no"):
        return [("Restart", "no")]
    # Docker waits 100 ms, and twice as long each time up to a minute.
    pauses = [("RestartSec", "100ms"), ("RestartSteps", "10"), ("RestartMaxDelaySec", "60s")]
    return [
        ("Restart", "on-failure" if name == "on-failure" else "always"),
        *(pauses if systemd >= _STEPS_SINCE else [("RestartSec", "2s")]),
        # Stopped by systemd it has not failed; what ends by SIGTERM otherwise has, and Docker starts that again.
        ("SuccessExitStatus", "143"),
        *([("RestartForceExitStatus", "143")] if name == "on-failure" else []),
    ]


def unit_lines(container: Json) -> list[tuple[str, str]]:
    """The [Unit] lines that say how often systemd tries."""
    policy = mapping(dig(container, "HostConfig.RestartPolicy"))
    retries = policy.get("MaximumRetryCount")
    if policy.get("Name") == "on-failure" and isinstance(retries, int) and retries > 0:
        return [("StartLimitIntervalSec", "1d"), ("StartLimitBurst", str(retries + 1))]
    return [("StartLimitIntervalSec", "0")]


def written(container: Json) -> str:
    """The policy as ``docker run --restart`` takes it."""
    policy = mapping(dig(container, "HostConfig.RestartPolicy"))
    limit = policy.get("MaximumRetryCount")
    return policy_name(policy) + (f":{limit}" if limit else "")


def starts_at_boot(container: Json) -> bool:
    """Whether it starts at a boot: with ``always`` also when the user has stopped it, with ``on-failure`` also when it has
    failed and may be tried again (seen on Docker 26.1 and 28.5, whoever stopped it)."""
    policy = mapping(dig(container, "HostConfig.RestartPolicy"))
    name = policy_name(policy)
    if name == "on-failure":
        limit, tries = _whole(policy.get("MaximumRetryCount")), _whole(container.get("RestartCount"))
        has_failed = _whole(dig(container, "State.ExitCode")) != 0
        return is_running(container) or (has_failed and (limit == 0 or tries < limit))
    return name == "always" or (name == "unless-stopped" and is_running(container))


def runs_from_boot(container: Json) -> bool:
    """Whether it runs now, and again after every boot."""
    return is_running(container) and starts_at_boot(container)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
