"""Benchmarks: each compares side by side in one run. Prints ratios and writes them to .cache/bench.json.

usage: bench.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import plan

RESULT = Path(__file__).resolve().parents[2] / ".cache" / "bench.json"
GOALS = {"plan_1000_vs_100": 12.0}
"""The largest ratio that is good enough."""


def main() -> int:
    """Measure everything; the number of goals that were missed."""
    ratios = {**plan.measure()}
    RESULT.write_text(json.dumps(ratios, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    missed = [name for name, ratio in ratios.items() if ratio > GOALS[name]]
    for name, ratio in sorted(ratios.items()):
        print(f"{name}: {ratio} (goal: at most {GOALS[name]:g}, {'missed' if name in missed else 'met'})")
    return len(missed)


if __name__ == "__main__":
    sys.exit(main())
