"""Every page of the console, for what is asked of each: axe-core, keyboard, pictures.

A page that is new is one line here.
"""

from dataclasses import dataclass

from gateway.accounts.roles import AccountRole
from tests.console.stand import Stand

ADMINISTRATOR, REVIEWER = AccountRole.ADMINISTRATOR, AccountRole.REVIEWER
AUDITOR = AccountRole.AUDITOR


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePage:
    """A page: its name in pictures, its path, and who looks (None: nobody signed in).

    `in_docs`: its picture is kept.

    `{study}` in a path stands for the first study, `{held}` and `{parked}` for those
    that wait for a person.
    """

    name: str
    path: str
    role: AccountRole | None = ADMINISTRATOR
    in_docs: bool = True

    def url(self, stand: Stand) -> str:
        """Return its address on a console."""
        study, held, parked = (stand.uids[number] for number in (0, 3, 4))
        return stand.url + self.path.format(study=study, held=held, parked=parked)


PAGES = (
    ConsolePage(name="login", path="/login", role=None),
    ConsolePage(name="studies", path="/studies"),
    ConsolePage(name="studies-person", path="/studies?group=person", role=REVIEWER),
    ConsolePage(name="studies-none", path="/studies?q=nothing", in_docs=False),
    ConsolePage(name="study", path="/studies/{study}", role=REVIEWER),
    ConsolePage(name="study-held", path="/studies/{held}", role=REVIEWER),
    ConsolePage(name="study-parked", path="/studies/{parked}", in_docs=False),
    ConsolePage(name="audit", path="/audit", role=AUDITOR),
    ConsolePage(name="audit-people", path="/audit?view=people", role=AUDITOR),
    ConsolePage(name="audit-history", path="/audit?study={study}", role=AUDITOR),
    ConsolePage(
        name="audit-none", path="/audit?user=nobody", role=AUDITOR, in_docs=False
    ),
    ConsolePage(name="audit-record", path="/audit/records/12", role=AUDITOR),
    ConsolePage(name="audit-bulk", path="/audit/bulk", role=AUDITOR, in_docs=False),
    ConsolePage(
        name="audit-repeats", path="/audit/repeats", role=AUDITOR, in_docs=False
    ),
    ConsolePage(name="reviews", path="/audit/reviews", role=AUDITOR),
    ConsolePage(name="system", path="/system"),
    ConsolePage(name="accounts", path="/accounts"),
    ConsolePage(name="account", path="/account", role=REVIEWER),
    ConsolePage(name="refused", path="/studies?state=nonsense", in_docs=False),
)
