"""Every benchmark but the soak, one after the other, and the time that each took.

They are processes of their own, for several measure memory. One that fails does not
keep the others from being run. Usage: python -m benchmarks.whole [NAME ...]
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from benchmarks.rounds import Figure, Target, keep

PARTS: Mapping[str, Sequence[str]] = {
    "limits": (),
    "receive": (),
    "receive_small": ("--only", "ours;ours, durable;storescp, tuned"),
    "associate": ("--times", "25"),
    "memory": (),
    "pixels": (),
    "study": ("--studies", "16"),
    "query": ("--rounds", "3", "--patients", "50"),
    "engine": ("--rounds", "3", "--new", "8", "--threads", "2"),
    "engine_calls": ("--rounds", "6"),
    "audit": ("--studies", "10000", "--records", "100000", "--rounds", "3"),
    "audit_verify": ("--records", "100000"),
}
"""The benchmarks, and what each is told here.

Of the audit a tenth: `make bench-audit` has the million records of the targets.
"""

WHOLE_SECONDS = 900.0


def main(names: Sequence[str] = ()) -> int:
    """Run those of the names, or all; return how many failed."""
    seconds: dict[str, float] = {}
    failed = []
    for name in names or PARTS:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        run = [sys.executable, "-m", f"benchmarks.{name}", *PARTS[name]]
        if subprocess.run(run, check=False).returncode:
            failed.append(name)
        seconds[name] = time.monotonic() - began
        print(f"== {name}: {seconds[name]:.0f} s", flush=True)
    for name in failed:
        print(f"failed: {name}", file=sys.stderr)
    if seconds.keys() == PARTS.keys() and not failed:
        _keep(seconds)
    return len(failed)


def _keep(seconds: Mapping[str, float]) -> None:
    figures = [
        Figure(name=name, unit="s", values=(spent,)) for name, spent in seconds.items()
    ]
    whole = sum(seconds.values())
    bound = Target(
        what="all of it, in seconds", reached=whole, bound=WHOLE_SECONDS, at_least=False
    )
    keep("whole", figures, [bound])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
