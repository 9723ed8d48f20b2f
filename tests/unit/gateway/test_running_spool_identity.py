"""A folder belongs to one ledger, and a ledger named by its URL to one folder."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gateway.errors import NotReady
from gateway.running.composition import close_site, open_site
from gateway.running.spool_identity import FILE_NAME, demand_own_spool, mark
from gateway.site import Site
from tests.data.engines import CannedEngine
from tests.data.sites import site_settings


class Places:
    """Ledgers and folders by name; opened in any pairing."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder, self._opened = folder, opened

    def site(self, ledger: str, folder: str) -> Site:
        url = f"sqlite:///{self._folder / ledger}.db"
        settings = site_settings(self._folder / folder, {"ledger": {"url": url}})
        site = open_site(settings, CannedEngine())
        self._opened.callback(close_site, site)
        return site


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    with ExitStack() as opened:
        yield Places(tmp_path, opened)


def test_the_first_start_takes_the_folder_and_later_ones_know_it(
    places: Places,
) -> None:
    for _ in range(3):
        demand_own_spool(places.site("ledger", "here"))


def test_a_second_folder_is_refused(places: Places) -> None:
    demand_own_spool(places.site("ledger", "here"))
    with pytest.raises(NotReady, match="is not where the files of the ledger lie"):
        demand_own_spool(places.site("ledger", "there"))
    demand_own_spool(places.site("ledger", "here"))


def test_the_folder_of_another_ledger_is_refused(places: Places) -> None:
    demand_own_spool(places.site("ledger", "here"))
    for _ in range(2):
        with pytest.raises(NotReady, match="holds the files of another ledger"):
            demand_own_spool(places.site("other", "here"))


def test_a_crash_between_the_file_and_the_note_is_made_good(
    places: Places, tmp_path: Path
) -> None:
    site = places.site("ledger", "here")
    demand_own_spool(site)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as opened, opened:
        assert opened.execute("DELETE FROM notes WHERE key = 'spool-uid'").rowcount
    demand_own_spool(site)
    with pytest.raises(NotReady):
        demand_own_spool(places.site("ledger", "there"))


def test_a_folder_that_lost_its_file_is_taken_when_a_person_says_so(
    places: Places,
) -> None:
    site = places.site("ledger", "here")
    demand_own_spool(site)
    site.spool.path(FILE_NAME).unlink()
    with pytest.raises(NotReady, match="doctor --repair"):
        demand_own_spool(site)
    mark(site.ledger, site.spool.path(""), site.device_uid)
    demand_own_spool(site)


def test_a_damaged_file_is_refused(places: Places) -> None:
    site = places.site("ledger", "here")
    site.spool.path(FILE_NAME).write_text("1.2.3")
    with pytest.raises(NotReady, match=r"another ledger.*doctor --repair"):
        demand_own_spool(site)


def test_a_ledger_in_its_own_folder_needs_no_proof(tmp_path: Path) -> None:
    site = open_site(site_settings(tmp_path / "data"), CannedEngine())
    if site.settings.ledger_path is None:  # the suite runs on PostgreSQL
        close_site(site)
        pytest.skip("its ledger is named by a URL")
    demand_own_spool(site)
    assert not site.spool.path(FILE_NAME).exists()
    close_site(site)
