"""Disposable machines with Docker and a real application; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys

from lablib import instance, ssh
from lablib.cache import LabError


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(command: str, text: str, *, name: bool = True) -> argparse.ArgumentParser:
        one = commands.add_parser(command, help=text)
        if name:
            one.add_argument("name", metavar="NAME")
        return one

    add("build", "build a machine's images when they are absent", name=False).add_argument(
        "machine", nargs="?", default="debian13"
    )
    up = add("up", "start an instance and print how to reach it")
    up.add_argument("--machine", default="debian13")
    up.add_argument("--forward", type=int, nargs="+", default=[], metavar="PORT")
    add("down", "stop an instance and remove it")
    login = add("ssh", "log in, or run a command")
    login.add_argument("remote", nargs=argparse.REMAINDER, metavar="command")
    add("kind", "print the kind of machine that `up` would start", name=False).add_argument(
        "machine", nargs="?", default="debian13"
    )
    add("list", "print the instances that run", name=False)
    add("info", "print how to reach an instance")
    add("save", "take a snapshot inside an instance").add_argument("tag")
    add("load", "go back to such a snapshot").add_argument("tag")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    if given.command == "build":
        print("\n".join(str(path) for path in instance.layers(given.machine)))
    elif given.command == "up":
        print(json.dumps(instance.up(given.name, given.machine, given.forward), indent=2))
    elif given.command == "down":
        instance.down(given.name)
    elif given.command == "ssh":
        argv = [*ssh.argv(instance.info(given.name)["port"]), *given.remote]
        os.execvp(argv[0], argv)
    elif given.command == "kind":
        print(instance.kind_for(given.machine))
    elif given.command == "list":
        print(json.dumps([instance.info(name) for name in instance.names()], indent=2))
    elif given.command == "info":
        print(json.dumps(instance.info(given.name), indent=2))
    elif given.command == "save":
        instance.save(given.name, given.tag)
    elif given.command == "load":
        instance.load(given.name, given.tag)


def stop(number: int, _frame: object) -> None:
    """Ended from outside: leave as after an error, with everything cleaned up."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        main()
    except (LabError, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"lab: {error}")
