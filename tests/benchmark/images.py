"""How long six images that share bases take from Docker to Podman, by us and by the ways people follow today.

On a machine of the lab: it needs a real Docker and a real Podman.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from lablib import instance, ssh

from ansible_collections.podshift.docker_to_podman.plugins.module_utils._common import zipapp

HERE = Path(__file__).resolve().parent
MACHINE = "debian13"
FILES = "/root/bench"


def measure() -> dict[str, float]:
    """The ratio of seconds, ours to the fastest other way."""
    try:
        port = instance.up("bench", MACHINE, [])["port"]
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "program.pyz")
            zipapp.write(program)
            for path in (program, HERE / "images_on_machine.py"):
                subprocess.run(
                    [*ssh.argv(port), f"mkdir -p {FILES} && cat > {FILES}/{path.name}"],
                    input=path.read_bytes(),
                    check=True,
                )
        done = subprocess.run(
            [*ssh.argv(port), f"python3 {FILES}/images_on_machine.py {FILES}"], stdout=subprocess.PIPE, check=True
        )
    finally:
        instance.down("bench")
    seconds: dict[str, float] = json.loads(done.stdout)
    print("six images: " + ", ".join(f"{way} {taken:.1f} s" for way, taken in seconds.items()))
    others = [taken for way, taken in seconds.items() if way != "ours"]
    return {"image_transfer_vs_best_other": round(seconds["ours"] / min(others), 2)}
