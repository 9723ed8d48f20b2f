"""Receiving small objects, of half a megabyte: the same receivers as for films.

Here the work around an object counts: its file, its name, its answer.
Usage: python -m benchmarks.receive_small [--rounds 5] [--objects 200] ...
"""

import sys

from benchmarks.receive import OURS, RATE, TUNED, Plan, main

SMALL = Plan(
    name="receive_small",
    objects=200,
    side=500,
    associations="1,8",
    bounds={(OURS, TUNED, 1, RATE): 0.9, (OURS, TUNED, 8, RATE): 0.9},
)

if __name__ == "__main__":
    sys.exit(main(plan=SMALL))
