"""What a start looks at before anything is taken; what start and stop write down."""

import logging
from collections.abc import Sequence
from datetime import datetime

from gateway.audit import kinds
from gateway.errors import LedgerCorrupt
from gateway.ledger import Writing
from gateway.ledger.failures import WHAT_TO_DO
from gateway.ledger.soundness import faults_of
from gateway.running import settings_changes
from gateway.site import Site
from model.version import VERSION

logger = logging.getLogger(__name__)

RUNNING = "running"
ACKNOWLEDGED = "licence-acknowledged"
LAST_VERSION = "version"
LAST_SETTINGS = "settings"


def reconcile(site: Site) -> list[str]:
    """Bring spool and ledger together after whatever ended the last run.

    Returns what was not as it should be, for the audit; the log has it too.
    """
    with site.ledger.reading() as rows:
        known = rows.file_names()
    found = site.spool.reconcile(known)
    counted = (
        (logging.ERROR, len(found.missing), "files of the ledger are not in the spool"),
        (logging.WARNING, len(found.orphans), "files of the spool have no row"),
        (logging.INFO, found.unfinished, "unfinished files were removed"),
        (logging.INFO, _free_leases(site), "studies were at work"),
    )
    for level, count, what in counted:
        if count:
            logger.log(level, "%d %s: see `maira-gateway doctor`", count, what)
    return [f"{count} {what}" for _, count, what in counted if count]


def _free_leases(site: Site) -> int:
    """Take up at once what the last run was at: who holds the folder is alone.

    A ledger that the site named by its URL may have other hosts at work on it.
    """
    if site.settings.ledger_path is None:
        return 0
    with site.ledger.writing() as rows:
        rows.free_groundings(site.clock())
        rows.free_cohorts()
        return rows.free_leases()


def demand_sound_ledger(site: Site) -> None:
    """Raise LedgerCorrupt where SQLite finds the ledger's file damaged."""
    path = site.settings.ledger_path
    if path is not None and (faults := faults_of(path, thorough=False)):
        raise LedgerCorrupt(f"the ledger is damaged ({faults[0]}): {WHAT_TO_DO}")


def record_start(site: Site, found: Sequence[str], port: int) -> None:
    """Record the start, what was found at it, and what is not as it was last time."""
    now = site.clock()
    with site.ledger.writing() as rows:
        unclean = rows.recall(RUNNING) == "yes"
        entry = kinds.application_started(now, unclean_stop=unclean, found=found)
        rows.append_audit(entry)
        rows.append_audit(kinds.network_joined(str(site.local.title), port, now))
        rows.remember(RUNNING, "yes")
        _record_version(rows, now)
        _record_settings(site, rows, now)
        _record_licence(site, rows, now)


def record_stop(site: Site) -> None:
    """Record that the gateway ended as it should."""
    now = site.clock()
    with site.ledger.writing() as rows:
        rows.append_audit(kinds.network_left(str(site.local.title), now))
        rows.append_audit(kinds.application_stopped(now))
        rows.remember(RUNNING, "no")


def _record_version(rows: Writing, now: datetime) -> None:
    before = rows.recall(LAST_VERSION)
    if before is not None and before != VERSION:
        rows.append_audit(kinds.software_updated(before, VERSION, now))
    rows.remember(LAST_VERSION, VERSION)


def _record_settings(site: Site, rows: Writing, now: datetime) -> None:
    """Record each key of the settings that is not as it was in the last run."""
    before = rows.recall(LAST_SETTINGS)
    after = settings_changes.described(site.settings, site.ledger.fingerprint_of)
    if before is not None:
        found = settings_changes.changes(settings_changes.of_text(before), after)
        for entry in settings_changes.entries(found, now):
            rows.append_audit(entry)
    rows.remember(LAST_SETTINGS, settings_changes.to_text(after))


def _record_licence(site: Site, rows: Writing, now: datetime) -> None:
    licence = site.settings.licence
    mark = f"{licence.acknowledged_by} {licence.acknowledged_on}"
    if licence.acknowledged and rows.recall(ACKNOWLEDGED) != mark:
        rows.append_audit(kinds.licence_acknowledged(mark, now))
        rows.remember(ACKNOWLEDGED, mark)
