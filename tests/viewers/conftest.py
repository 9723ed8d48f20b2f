"""One Orthanc, one OHIF and one browser for all tests of this folder."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Playwright

from benchmarks.rounds import free_port
from tests.data.peers import require_peer
from tests.viewers.ohif import BROWSER_OPTIONS, Viewed
from tests.viewers.shown import Shown, send_all
from viewer.origin import OHIF
from viewer.stand import Ports, Stand, running_viewer


def require_ohif() -> None:
    """Skip where OHIF is not installed; fail where it must be."""
    if OHIF.is_dir():
        return
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(f"REQUIRE_PEERS=1, but {OHIF} does not exist")
    pytest.skip(f"{OHIF} does not exist: run `make .peers/viewer.stamp`")


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    require_peer("Orthanc")
    require_ohif()
    ports = Ports(
        orthanc_http=free_port(),
        orthanc_dicom=free_port(),
        ohif=0,
        gateway=free_port(),
    )
    with running_viewer(tmp_path_factory.mktemp("orthanc"), ports) as running:
        yield running


@pytest.fixture(scope="session")
def shown(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    return send_all(stand, tmp_path_factory.mktemp("shown"))


@pytest.fixture(scope="session")
def browser(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    context = playwright.chromium.launch_persistent_context(
        tmp_path_factory.mktemp("profile"),
        executable_path=require_peer("chromium"),
        args=BROWSER_OPTIONS,
        viewport={"width": 1600, "height": 1000},
    )
    yield context
    context.close()


@pytest.fixture(scope="session")
def viewed(shown: dict[str, Shown], stand: Stand, browser: BrowserContext) -> Viewed:
    return Viewed(shown=shown, stand=stand, browser=browser)
