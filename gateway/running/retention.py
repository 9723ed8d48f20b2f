"""Delete the files of finished studies after their retention time."""

import logging
from datetime import timedelta

from gateway.audit import kinds
from gateway.errors import LostRace
from gateway.failpoints import pass_failpoint
from gateway.ledger import StudyRecord
from gateway.lifecycle import FINAL, Event, State
from gateway.site import Site

logger = logging.getLogger(__name__)

BATCH = 100


def purge(site: Site) -> int:
    """Purge what is due, and strays that belong to no study; return how many studies.

    The move is committed first: a crash then leaves files that no row names, which
    every start counts; never rows without files.
    """
    before = site.clock() - timedelta(days=site.settings.retention.days)
    states = [state for state in FINAL if state is not State.PURGED]
    with site.ledger.reading() as rows:
        due = rows.purgeable(states, before, BATCH)
    purged = sum(_purge_one(site, study) for study in due)
    with site.ledger.writing() as rows:
        strays = rows.forget_strays(before)
        if strays:
            rows.append_audit(kinds.strays_purged(len(strays), site.clock()))
    site.spool.remove(strays)
    _forget_messages(site)
    with site.ledger.writing() as rows:
        rows.forget_commitments(before)
    return purged


def _forget_messages(site: Site) -> None:
    """Forget delivered orders and reports after their own time."""
    before = site.clock() - timedelta(days=site.settings.hl7.keep_days)
    with site.ledger.writing() as rows:
        count = rows.forget_messages(before)
    if count:
        logger.info("forgot %d messages", count)


def _purge_one(site: Site, study: StudyRecord) -> bool:
    now = site.clock()
    try:
        with site.ledger.writing() as rows:
            names = rows.forget_files(study.id)
            entry = kinds.study_purged(study.study_instance_uid, len(names), now)
            rows.move(study, Event.FILES_PURGED, now, audit=[entry])
    except LostRace:
        return False  # a new image has opened it meanwhile
    pass_failpoint("purge:forgotten")
    site.spool.remove(names)
    pass_failpoint("purge:removed")
    logger.info("purged study %s", study.study_instance_uid)
    return True
