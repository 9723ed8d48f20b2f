"""Run the gate: `python -m gate`, or some checks of it by name.

Prints a line a check with its seconds, then what was found. Ends with 1 when a
check is red or when one stays green on its planted violation.
"""

import sys
from pathlib import Path
from time import monotonic

from gate.checks import CHECKS
from gate.findings import Check, Finding, NothingToCheck
from gate.selftest import failures

ROOT = Path(__file__).parent.parent
SELF_TEST = Check(name="self-test", run=failures)


def main(names: list[str]) -> int:
    """Run the named checks, or all; return the exit code."""
    known = {check.name: check for check in (*CHECKS, SELF_TEST)}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no such check: {', '.join(unknown)}; there are: {', '.join(known)}")
        return 2
    green = [_is_green(known[name]) for name in names or known]
    print(f"{sum(green)} green, {len(green) - sum(green)} red")
    return 0 if all(green) else 1


def _is_green(check: Check) -> bool:
    started = monotonic()
    found = _run(check)
    word = "red" if found else "green"
    print(f"{check.name:<15} {word:<6}{monotonic() - started:6.1f} s", flush=True)
    for finding in found:
        print(f"    {finding.place}: {finding.message}")
    return not found


def _run(check: Check) -> list[Finding]:
    try:
        return check.run(ROOT)
    except NothingToCheck as nothing:
        return [Finding(place=check.name, message=f"nothing to check: {nothing}")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
