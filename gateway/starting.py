"""What a start looks at before anything is taken; what start and stop write down."""

import logging
from collections.abc import Sequence

from gateway.audit import kinds
from gateway.errors import LedgerCorrupt
from gateway.ledger.engine import WHAT_TO_DO
from gateway.ledger.soundness import faults_of
from gateway.site import Site

logger = logging.getLogger(__name__)

RUNNING = "running"
ACKNOWLEDGED = "licence-acknowledged"


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
        return rows.free_leases()


def demand_sound_ledger(site: Site) -> None:
    """Raise LedgerCorrupt where SQLite finds the ledger's file damaged."""
    path = site.settings.ledger_path
    if path is not None and (faults := faults_of(path, thorough=False)):
        raise LedgerCorrupt(f"the ledger is damaged ({faults[0]}): {WHAT_TO_DO}")


def record_start(site: Site, found: Sequence[str]) -> None:
    """Record the start, what was found at it, and a licence newly acknowledged."""
    now, licence = site.clock(), site.settings.licence
    with site.ledger.writing() as rows:
        unclean = rows.recall(RUNNING) == "yes"
        entry = kinds.application_started(now, unclean_stop=unclean, found=found)
        rows.append_audit(entry)
        rows.remember(RUNNING, "yes")
        mark = f"{licence.acknowledged_by} {licence.acknowledged_on}"
        if licence.acknowledged and rows.recall(ACKNOWLEDGED) != mark:
            rows.append_audit(kinds.licence_acknowledged(mark, now))
            rows.remember(ACKNOWLEDGED, mark)


def record_stop(site: Site) -> None:
    """Record that the gateway ended as it should."""
    with site.ledger.writing() as rows:
        rows.append_audit(kinds.application_stopped(site.clock()))
        rows.remember(RUNNING, "no")
