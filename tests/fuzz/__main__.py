"""Fuzz the targets with atheris, one after the other: `make fuzz`.

Each runs in a process of its own, which ends at the first finding; the input is
then in build/fuzz/<target>/findings. What coverage found lies beside it and is
where the next run begins.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from tests.fuzz.mutating import mutated

CORPUS = Path(__file__).parent / "corpus"
WORK = Path(__file__).parent.parent.parent / "build" / "fuzz"
_INSTRUMENTED = (
    "config",
    "dicom_io",
    "gateway",
    "model.report",
    "pynetdicom",
    "tomllib",
)


def main(arguments: list[str]) -> int:
    """Return 1 where there was a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", default="", help="one of them; all where empty")
    parser.add_argument("--minutes", type=float, default=10, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="0: another each time")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    names = [options.target] if options.target else _names()
    if options.here:
        return _fuzz(options.target, options.minutes, options.seed)
    found = [name for name in names if not _is_clean(name, options)]
    print("findings:", ", ".join(found) or "none")
    return 1 if found else 0


def _names() -> list[str]:
    return sorted(path.name for path in CORPUS.iterdir())


def _is_clean(name: str, options: argparse.Namespace) -> bool:
    """Fuzz one target in a process that may die."""
    began = time.monotonic()
    words = ["--target", name, "--minutes", str(options.minutes)]
    words += ["--seed", str(options.seed), "--here"]
    ended = subprocess.run([sys.executable, "-m", "tests.fuzz", *words], check=False)
    print(f"{name}: {time.monotonic() - began:.0f} s, exit {ended.returncode}")
    return ended.returncode == 0


def _fuzz(name: str, minutes: float, seed: int) -> int:
    """Fuzz in this process; atheris ends it."""
    import atheris

    # Before anything of ours: what is imported already is not instrumented.
    with atheris.instrument_imports(include=list(_INSTRUMENTED)):
        from gateway.cli.output import quieten_libraries
        from tests.fuzz.targets import MEBIBYTES, SECONDS, TARGETS

    quieten_libraries()
    target = next(each for each in TARGETS if each.name == name)
    grown, findings = WORK / name / "corpus", WORK / name / "findings"
    for folder in (grown, findings):
        folder.mkdir(parents=True, exist_ok=True)
    flags = {
        "max_total_time": int(60 * minutes),
        "timeout": SECONDS,
        "rss_limit_mb": MEBIBYTES,
        "max_len": target.bytes_cap,
        "len_control": 20,
        "seed": seed,
        "artifact_prefix": f"{findings}/",
        "print_final_stats": 1,
        "verbosity": 1,
    }
    words = [f"-{flag}={value}" for flag, value in flags.items()]
    mutator = _mutate_association if name == "association" else None
    atheris.Setup(
        [sys.argv[0], *words, str(grown), str(CORPUS / name)],
        target.run,
        custom_mutator=mutator,
    )
    atheris.Fuzz()
    return 0


def _mutate_association(data: bytes, max_bytes: int, seed: int) -> bytes:
    """Half of the time mutate PDUs, so that lengths stay right; else any byte."""
    import atheris

    from tests.fuzz.association import pdus_of

    random = Random(seed)
    pdus = pdus_of(data[1:])
    if random.random() < 0.5 or not pdus:
        return bytes(atheris.Mutate(data, max_bytes))
    how = data[:1] if random.random() < 0.9 else random.randbytes(1)
    return (how + mutated(pdus, random))[:max_bytes]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
