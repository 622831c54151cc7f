"""Record what a real Docker says about every case: record.py MACHINE [--daemon] [CASE...]; see README.md."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))

from lablib import instance, ssh

Json = dict[str, Any]

HERE = Path(__file__).resolve().parent
ENGINES = {"debian12": "docker-20.10", "debian13": "docker-26.1", "debiantesting": "docker-28.5"}


def load(name: str) -> Json:
    loaded: Json = yaml.safe_load((HERE / name).read_text())
    return loaded


def chosen(cases: Json, engine: str, names: list[str]) -> Json:
    """The cases of an engine, commands as lists of words."""
    unknown = set(names) - set(cases)
    if unknown:
        sys.exit(f"There are no such cases: {', '.join(sorted(unknown))}.")

    def split(command: str | list[str]) -> list[str]:
        return shlex.split(command) if isinstance(command, str) else command

    return {
        name: {"commands": [split(command) for command in case["commands"]], "files": case.get("files", {})}
        for name, case in cases.items()
        if engine in case.get("engines", [engine]) and (not names or name in names)
    }


def run(machine: str, work: Json) -> Json:
    """on_machine.py on a machine of the lab."""
    name = f"golden-{machine}"
    try:
        port = instance.up(name, machine, [])["port"]
        command = "python3 -c " + shlex.quote((HERE / "on_machine.py").read_text())
        done = subprocess.run(
            [*ssh.argv(port), command], input=json.dumps(work).encode(), stdout=subprocess.PIPE, check=True
        )
    finally:
        instance.down(name)
    result: Json = json.loads(done.stdout)
    return result


def write(path: Path, document: Json) -> None:
    path.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def save(folder: Path, result: Json, whole: bool) -> None:
    """One file per case; a whole recording replaces the folder."""
    folder.mkdir(exist_ok=True)
    if whole:
        for path in folder.glob("*.json"):
            path.unlink()
        write(folder / "engine.json", {"engine": result["engine"], "images": result["images"]})
    version = result["engine"]["version"]["Version"]
    for name, case in result["cases"].items():
        write(folder / f"{name}.json", {"case": name, "docker": version, **case})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("machine", choices=sorted(ENGINES))
    parser.add_argument("--daemon", action="store_true", help="daemon.yml instead of cases.yml")
    parser.add_argument("case", nargs="*", help="only these; the others stay as they were recorded")
    given = parser.parse_args()
    engine = ENGINES[given.machine]
    table = load("daemon.yml") if given.daemon else {"daemon_json": {}, "cases": load("cases.yml")}
    work = {**table, "cases": chosen(table["cases"], engine, given.case), "images": load("images.yml")}
    result = run(given.machine, work)
    version = result["engine"]["version"]["Version"]
    if not version.startswith(engine.partition("-")[2] + "."):
        sys.exit(f"{given.machine} has Docker {version}: give it a folder of its own in ENGINES.")
    save(HERE / (engine + "-daemon" * given.daemon), result, not given.case)
    print(f"{engine}: {len(result['cases'])} recorded, {len(result['failed'])} failed")
    if result["failed"]:
        sys.exit("\n".join(f"{name}: {why}" for name, why in result["failed"].items()))


if __name__ == "__main__":
    main()
