"""What a start looks at before anything is taken; what start and stop write down."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gateway.audit import kinds
from gateway.errors import LedgerCorrupt
from gateway.ledger import Writing
from gateway.ledger.failures import WHAT_TO_DO
from gateway.ledger.soundness import faults_of
from gateway.running import settings_changes
from gateway.running.membership import Membership
from gateway.running.process_roles import ALL_ROLES, ProcessRole, Roles, words_of
from gateway.site import Site
from gateway.spool import Reconciliation
from model.version import VERSION

logger = logging.getLogger(__name__)

ACKNOWLEDGED = "licence-acknowledged"
LAST_VERSION = "version"
LAST_SETTINGS = "settings"


def reconcile(site: Site, before: datetime | None = None, freed: int = 0) -> list[str]:
    """Bring spool and ledger together after whatever ended the last run.

    before : files from this moment on are left alone, for others may be at work on
    them; None: nobody is. freed : studies that a dead process was at. Returns what was
    not as it should be, for the audit; the log has it too.
    """
    found = _compare(site, before)
    counted = (
        (logging.ERROR, len(found.missing), "files of the ledger are not in the spool"),
        (logging.WARNING, len(found.orphans), "files of the spool have no row"),
        (logging.INFO, found.unfinished, "unfinished files were removed"),
        (logging.INFO, freed, "studies were at work"),
    )
    for level, count, what in counted:
        if count:
            logger.log(level, "%d %s: see `maira-gateway doctor`", count, what)
    return [f"{count} {what}" for _, count, what in counted if count]


def _compare(site: Site, before: datetime | None) -> Reconciliation:
    """Compare the spool with the ledger; what was purged meanwhile is not missing."""
    with site.ledger.reading() as rows:
        known = rows.file_names()
    found = site.spool.reconcile(known, before)
    if before is None or not found.missing:
        return found
    with site.ledger.reading() as rows:
        still = rows.file_names()
    return replace(
        found, missing=tuple(name for name in found.missing if name in still)
    )


def demand_sound_ledger(site: Site) -> None:
    """Raise LedgerCorrupt where SQLite finds the ledger's file damaged."""
    path = site.settings.ledger_path
    if path is not None and (faults := faults_of(path, thorough=False)):
        raise LedgerCorrupt(f"the ledger is damaged ({faults[0]}): {WHAT_TO_DO}")


def record_start(
    site: Site,
    found: Sequence[str],
    roles: Roles,
    port: int | None,
    *,
    unclean: bool = False,
) -> None:
    """Record the start, what was found at it, and what is not as it was last time.

    port : of DICOM; None: this process opens none. unclean : another process of this
    gateway had ended without a stop.
    """
    now = site.clock()
    with site.ledger.writing() as rows:
        rows.append_audit(
            kinds.application_started(
                now, unclean_stop=unclean, found=found, roles=_in_audit(roles)
            )
        )
        if port is not None:
            title = str(site.local.title)
            rows.append_audit(kinds.network_joined(title, port, now))
        _record_version(rows, now)
        _record_settings(site, rows, now)
        _record_licence(site, rows, now)


def record_stop(site: Site, roles: Roles, member: Membership) -> None:
    """Record that the process ended as it should, and let it be known no longer."""
    now = site.clock()
    with site.ledger.writing() as rows:
        if ProcessRole.LISTENER in roles:
            rows.append_audit(kinds.network_left(str(site.local.title), now))
        rows.append_audit(kinds.application_stopped(now, _in_audit(roles)))
        member.end(rows)


def _in_audit(roles: Roles) -> str:
    return "" if frozenset(roles) == ALL_ROLES else words_of(roles)


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
