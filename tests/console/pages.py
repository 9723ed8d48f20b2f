"""Every page of the console, for what is asked of each: axe-core, keyboard, pictures.

A page that is new is one line here.
"""

from dataclasses import dataclass

from gateway.accounts.roles import AccountRole
from tests.console.stand import Stand

ADMINISTRATOR, REVIEWER = AccountRole.ADMINISTRATOR, AccountRole.REVIEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePage:
    """A page: its name in pictures, its path, and who looks (None: nobody signed in).

    `in_docs`: its picture is kept.

    `{study}` in a path stands for the first study, `{held}` for the one that is held.
    """

    name: str
    path: str
    role: AccountRole | None = ADMINISTRATOR
    in_docs: bool = True

    def url(self, stand: Stand) -> str:
        """Return its address on a console."""
        study, held = stand.uids[0], stand.uids[3]
        return stand.url + self.path.format(study=study, held=held)


PAGES = (
    ConsolePage(name="login", path="/login", role=None),
    ConsolePage(name="studies", path="/studies"),
    ConsolePage(name="studies-person", path="/studies?group=person", role=REVIEWER),
    ConsolePage(name="studies-none", path="/studies?q=nothing", in_docs=False),
    ConsolePage(name="system", path="/system"),
    ConsolePage(name="accounts", path="/accounts"),
    ConsolePage(name="account", path="/account", role=REVIEWER),
    ConsolePage(name="refused", path="/studies?state=nonsense", in_docs=False),
)
