"""`make viewer`: a phantom goes through the gateway; a person opens it in OHIF."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.evidence import SlotName
from dicom_io.phantom import phantom_study_files
from dicom_io.scu.send import store_instances
from model.phantom.generator import PhantomOptions, make_phantom
from viewer.stand import LOOPBACK, NotInstalledError, Ports, Stand, running_viewer

FOLDER = Path(".peers/viewer")
SETTINGS = Path(__file__).with_name("site.toml")
SEED = 2028
CURRENT = (SlotName.CURRENT_FRONTAL, SlotName.CURRENT_LATERAL)
_MODALITY = LocalAE(title=AETitle("MODALITY"), host=LOOPBACK, port=0)
_DEADLINE_SECONDS = 120.0
_POLL_SECONDS = 1.0


def main() -> int:
    """Run until interrupted or told to end; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with running_viewer(FOLDER / "orthanc", Ports()) as stand, _gateway() as serve:
            study_instance_uid = _send_phantom(stand)
            if not _is_committed(study_instance_uid, serve):
                return 1
            _say_where(stand, study_instance_uid)
            return serve.wait()
    except NotInstalledError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


@contextmanager
def _gateway() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(_verb("serve"))
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _verb(*words: str) -> list[str]:
    return [sys.executable, "-m", "gateway", "--config", str(SETTINGS), *words]


def _send_phantom(stand: Stand) -> str:
    """Send all to Orthanc and the current study to the gateway, as a modality does."""
    phantom = make_phantom(
        SEED,
        PhantomOptions(aspect=1.22, with_lateral=True, with_prior=True, normal=False),
    )
    folder = FOLDER / "modality"
    folder.mkdir(parents=True, exist_ok=True)
    files = phantom_study_files(phantom)
    for file in files:
        (folder / f"{file.slot}.dcm").write_bytes(file.data)
    archive = _remote("VIEWER", stand.ports.orthanc_dicom)
    _store(archive, [folder / f"{file.slot}.dcm" for file in files])
    gateway = _remote("MAIRA_GW", stand.ports.gateway)
    _store(gateway, [folder / f"{slot}.dcm" for slot in CURRENT])
    return files[0].instance.study_instance_uid


def _remote(title: str, port: int) -> RemoteAE:
    return RemoteAE(name=title.lower(), title=AETitle(title), host=LOOPBACK, port=port)


def _store(remote: RemoteAE, paths: Sequence[Path]) -> None:
    """Send until everything is taken: the gateway may still be starting."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        outcomes = store_instances(_MODALITY, remote, paths)
        if all(outcome.verdict.is_stored for outcome in outcomes):
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{remote.name}: {outcomes[0].detail}")
        time.sleep(_POLL_SECONDS)


def _is_committed(study_instance_uid: str, serve: "subprocess.Popen[bytes]") -> bool:
    command = _verb("study", "list", "--state", "committed", "--json")
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline and serve.poll() is None:
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        if study_instance_uid in told.stdout:
            return True
        time.sleep(_POLL_SECONDS)
    subprocess.run(_verb("study", "list"), check=False)
    return False


def _say_where(stand: Stand, study_instance_uid: str) -> None:
    ports = stand.ports
    print(
        f"""
Open {stand.study_url(study_instance_uid)}
and double-click the series "findings" on the left: the boxes are loaded.

Send more to MAIRA_GW, {LOOPBACK}:{ports.gateway}, from the title MODALITY.
All studies: {stand.url}   Orthanc itself: http://{LOOPBACK}:{ports.orthanc_http}
Research only. Everything listens on loopback alone. Ctrl-C ends it.
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
