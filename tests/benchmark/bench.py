"""Benchmarks: each compares side by side in one run. Prints ratios and writes them to .cache/bench.json.

usage: bench.py [PART...], of plan, volumes, large, images, downtime; all without one. Ratios of other parts stay in the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import downtime
import images
import large
import plan
import volumes

RESULT = Path(__file__).resolve().parents[2] / ".cache" / "bench.json"
GOALS = {
    "plan_1000_vs_100": 12.0,
    "volume_final_vs_first": 0.1,
    "sparse_room_vs_source": 1.1,
    "image_transfer_vs_best_other": 0.5,
    "downtime_vs_floor_10MB": 1.5,
    "downtime_vs_floor_1GB": 1.5,
}
"""The largest ratio that is good enough, where there is one."""


PARTS = {
    "plan": plan.measure,
    "volumes": volumes.measure,
    "large": large.measure,
    "images": images.measure,
    "downtime": downtime.measure,
}


def main(parts: list[str]) -> int:
    """Measure; the number of goals that were missed."""
    if not set(parts) <= set(PARTS):
        sys.exit(f"There is no such part; there are {', '.join(PARTS)}.")
    ratios = {name: ratio for part in parts or PARTS for name, ratio in PARTS[part]().items()}
    before = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    RESULT.write_text(json.dumps({**before, **ratios}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    missed = [name for name, ratio in ratios.items() if ratio > GOALS.get(name, ratio)]
    for name, ratio in sorted(ratios.items()):
        goal = f"goal: at most {GOALS[name]:g}, {'missed' if name in missed else 'met'}" if name in GOALS else "no goal"
        print(f"{name}: {ratio} ({goal})")
    return len(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
