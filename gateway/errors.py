"""Errors of `gateway`.

GatewayError
├── IllegalMove              a move that TRANSITIONS does not hold
├── LostRace                 somebody else moved the study first
├── SpoolFailure             a file could not be made durable
│   └── OutOfSpace           the disk (or its reserve) is full
├── LedgerFailure            the ledger cannot be opened, read or written
│   ├── LedgerCorrupt        its file is damaged: a person must look
│   └── WrongKey             the master key of its patients is lost or another
├── SourceFailure            a source of orders or reports could not be asked
├── RepositoryFailure        a repository did not take a batch of the audit
├── HandoverStopped          a batch was broken off because the gateway stops
├── UnreadableMessage        an HL7 message of which nothing can be kept
├── UnreadableNote           a signed note, checkpoint or key that is none
├── BadQuestion              a reviewer's question that can find nothing
├── NotSigned                the audit log cannot be signed: its key, or what it holds
├── CampaignRefused          a campaign that cannot be started or changed like this
├── NoSuchStudy              a study UID that the ledger does not know
├── NoSuchPatient            nobody whom the audit can name
├── NoSuchPeer               a peer that the settings do not name
├── NoSuchPart               a study has no such image, result or report (any more)
├── UnusablePhrase           a phrase that the model cannot be asked to look for
├── RoleNotStated            a decision that takes a role, by nobody in a role
├── AccountRefused           an account that cannot be made or changed like this
│   ├── PasswordRefused      a password that is too short or too easily guessed
│   └── LinkRefused          a link that was used, or is too old
├── LoginRefused             name and password that do not open a session
│   ├── TooManyFailures      nothing is tried for a while
│   ├── FlowRefused          a sign-in at a provider that was not begun here, or is over
│   └── PersonRefused        somebody whom a provider knows, and who has no place here
├── ProviderFailure          the OpenID provider does not answer, or not as it must
│   └── UnknownKey           its token is signed by none of its keys
└── NotReady                 a start that must not happen (settings, licence)

A SpoolFailure and a LedgerFailure are a NoRoom of `dicom_io`: the sender hears A700.
"""

from dicom_io.sink import NoRoom


class GatewayError(Exception):
    """Base of all errors of this package."""


class IllegalMove(GatewayError):  # noqa: N818 - says what was tried
    """A move that the lifecycle does not hold; nothing was changed."""


class LostRace(GatewayError):  # noqa: N818 - says what happened
    """The study was no longer in the state that was read; nothing was changed."""


class SpoolFailure(GatewayError, NoRoom):  # noqa: N818 - says what failed
    """A file could not be made durable; the sender must keep it."""


class OutOfSpace(SpoolFailure):
    """The disk, its quota or our reserve on it is full."""


class LedgerFailure(GatewayError, NoRoom):  # noqa: N818 - says what failed
    """The ledger cannot be opened, read or written."""


class LedgerCorrupt(LedgerFailure):
    """The database says that its file is damaged; nothing more is written to it."""


class WrongKey(LedgerFailure):
    """The master key of patients is missing, damaged or another one."""


class SourceFailure(GatewayError):  # noqa: N818 - says what failed
    """A source of orders or reports could not be asked, or answered nonsense."""


class RepositoryFailure(GatewayError):  # noqa: N818 - says what failed
    """A repository may not have read what was sent to it; it is sent again."""


class HandoverStopped(GatewayError):  # noqa: N818 - says what happened
    """A batch was broken off because the gateway stops; nobody failed."""


class UnreadableMessage(GatewayError):  # noqa: N818 - says what it is
    """An HL7 v2 message of which nothing can be kept; names no patient."""


class UnreadableNote(GatewayError):  # noqa: N818 - says what it is
    """What should be a signed note, a checkpoint or a key, and is none."""


class BadQuestion(GatewayError):  # noqa: N818 - says what it is
    """A question to the audit that can find nothing; says what would."""


class NotSigned(GatewayError):  # noqa: N818 - says what was not done
    """The audit log could not be signed; the message says what to look at."""


class CampaignRefused(GatewayError):  # noqa: N818 - says what was refused
    """A campaign that cannot be started or changed like this; nothing was changed."""


class NoSuchStudy(GatewayError):  # noqa: N818 - says what is missing
    """The ledger knows no study with this UID."""


class NoSuchPatient(GatewayError):  # noqa: N818 - says what is missing
    """The audit knows no such patient, or no longer; the message names nobody."""


class NoSuchPeer(GatewayError):  # noqa: N818 - says what is missing
    """The settings name no such peer."""


class NoSuchPart(GatewayError):  # noqa: N818 - says what is missing
    """A study has no such image, result or report, or its file is deleted."""


class UnusablePhrase(GatewayError):  # noqa: N818 - says what it is
    """A phrase that the model cannot be asked to look for; nothing was asked."""


class RoleNotStated(GatewayError):  # noqa: N818 - says what is missing
    """Whoever releases or rejects says in what capacity; nothing was changed."""


class AccountRefused(GatewayError):  # noqa: N818 - says what was refused
    """An account that cannot be made or changed like this; nothing was changed."""


class PasswordRefused(AccountRefused):
    """A password that is too short or too easily guessed; it is not quoted."""


class LinkRefused(AccountRefused):
    """A set-up link that was used, is too old, or never was."""


class LoginRefused(GatewayError):  # noqa: N818 - says what was refused
    """Nobody was signed in; the message does not tell whether the name exists."""


class TooManyFailures(LoginRefused):
    """The password was not even looked at: there were too many failures."""


class FlowRefused(LoginRefused):
    """A browser comes from the provider that was not sent there, or too long ago."""


class PersonRefused(LoginRefused):
    """The provider vouches for somebody who has no place here; the message says why."""


class ProviderFailure(GatewayError):  # noqa: N818 - says what failed
    """The OpenID provider could not be asked, or its answer is not believed."""


class UnknownKey(ProviderFailure):
    """A token is signed by none of the provider's keys that are known."""


class NotReady(GatewayError):  # noqa: N818 - says what is missing
    """The gateway must not start like this; the message says what to change."""
