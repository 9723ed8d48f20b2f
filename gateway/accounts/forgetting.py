"""What is over is not kept for ever: sessions, browsers, links and tokens.

What became of each is in the audit, which has a time of its own.
"""

from datetime import datetime, timedelta

from gateway.accounts.throttle import WINDOW
from gateway.ledger import Ledger

SESSION = DEVICE = timedelta(days=180)
"""How long a session, and a browser, that nobody comes back to is known."""

TOKEN = timedelta(days=90)
"""How long a token is listed after the time that it was to last, revoked or not."""


def forget_ended(ledger: Ledger, now: datetime) -> None:
    """Forget what opens nothing any more, after its time."""
    with ledger.writing() as rows:
        rows.forget_sessions(now - SESSION)
        rows.forget_devices(before=now - DEVICE)
        rows.forget_tokens(now - TOKEN)
        rows.forget_setup_links(now)
        rows.forget_flows(now)
        rows.forget_failed_logins(before=now - WINDOW)
