"""How often the view resolver is right on phantom studies under real-like headers.

Prints, for each policy on disagreement, the share of studies that were read
correctly, read wrongly, or declined; and the same without looking at the pixels.
Usage: python -m benchmarks.views [studies]
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from dicom_io.inputs.looking import HEADERS_ALONE
from dicom_io.options import Disagreement
from tests.data.headers import Outcome, judge, look_at, write_study

LIMIT = 0.005
"""Largest share of wrong studies that is accepted under `decline`."""
FIRST_SEED = 50_000


HEADERS = "headers alone"


def measure(studies: int) -> dict[str, Counter[Outcome]]:
    """Resolve that many studies under every policy; the wrong ones are printed."""
    counts = {name: Counter[Outcome]() for name in (HEADERS, *Disagreement)}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(FIRST_SEED, FIRST_SEED + studies):
            images = write_study(Path(scratch), seed)
            seen = look_at(images)
            counts[HEADERS][judge(images, HEADERS_ALONE)[0]] += 1
            for policy in Disagreement:
                outcome, said = judge(images, seen, policy)
                counts[policy][outcome] += 1
                if outcome is Outcome.WRONG and policy is Disagreement.DECLINE:
                    print(f"wrong: seed {seed}: {said}")
            for image in images:
                image.instance.path.unlink()
    return counts


def main() -> int:
    """Print the table; 1 where too many are wrong under `decline`."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    counts = measure(studies)
    print(f"{studies} studies; share of each outcome in percent")
    print(f"{'policy':<14}" + "".join(f"{outcome:>18}" for outcome in Outcome))
    for policy, count in counts.items():
        shares = (100 * count[outcome] / studies for outcome in Outcome)
        print(f"{policy:<14}" + "".join(f"{share:>18.2f}" for share in shares))
    wrong = counts[Disagreement.DECLINE][Outcome.WRONG] / studies
    return int(wrong > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
