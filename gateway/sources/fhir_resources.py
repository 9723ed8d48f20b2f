"""The parts of FHIR R4 resources that are read, and what they mean here; pure.

Models are tolerant: unknown elements are passed over, and a resource that does not
fit is none.
"""

import base64
import binascii
from datetime import UTC, date, datetime

from pydantic import BaseModel, ConfigDict

from dicom_io.header import PatientIdentity
from dicom_io.uid import is_uid
from gateway.sources.markup import plain

MAX_TEXT = 100_000
"""Characters of one report that are kept."""


class Element(BaseModel):
    """Any element: what is not named here is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Coding(Element):
    """A code and its meaning."""

    code: str = ""
    display: str = ""


class Concept(Element):
    """A CodeableConcept."""

    text: str = ""
    coding: tuple[Coding, ...] = ()

    @property
    def meaning(self) -> str:
        """The meaning of its first code that has one."""
        return next((each.display for each in self.coding if each.display), "")


class Assigner(Element):
    """The organization that gave an identifier."""

    display: str = ""


class Identifier(Element):
    """A business identifier."""

    value: str = ""
    type: Concept = Concept()
    assigner: Assigner = Assigner()


class Reference(Element):
    """A reference to another resource."""

    reference: str = ""
    type: str = ""
    display: str = ""
    identifier: Identifier = Identifier()

    @property
    def kind(self) -> str:
        """The type of the resource that it names."""
        return self.type or self.reference.rpartition("/")[0].rpartition("/")[2]


class Attachment(Element):
    """A document within a resource."""

    contentType: str = ""  # noqa: N815 - the standard's name
    language: str | None = None
    data: str = ""


class Narrative(Element):
    """The text of a resource for people, as XHTML."""

    div: str = ""


class HumanName(Element):
    """A name and its parts."""

    family: str = ""
    given: tuple[str, ...] = ()


class Patient(Element):
    """Who a resource is about."""

    id: str = ""
    identifier: tuple[Identifier, ...] = ()
    name: tuple[HumanName, ...] = ()
    gender: str = ""
    birthDate: str = ""  # noqa: N815 - the standard's name

    def identity(self) -> PatientIdentity:
        """Return the record number (type MR, or else the first) and who it is.

        The assigner's name is the issuer; a system's URI is not, for no DICOM
        header has it.
        """
        numbers = [each for each in self.identifier if each.value]
        records = [each for each in numbers if _is_record_number(each)]
        number = next(iter(records or numbers), Identifier())
        born = _birth_date(self.birthDate)
        return PatientIdentity(
            patient_id=number.value or None,
            issuer=number.assigner.display or None,
            birth_date=born,
            birth_date_text=None if born else self.birthDate or None,
            sex=_SEXES.get(self.gender),
            name=_person_name(self.name),
        )


class Coded(Element):
    """A tag of a resource."""

    security: tuple[Coding, ...] = ()
    tag: tuple[Coding, ...] = ()


class Annotation(Element):
    """A note."""

    text: str = ""


class Resource(Element):
    """What both kinds share."""

    id: str = ""
    status: str = ""
    language: str | None = None
    meta: Coded = Coded()
    identifier: tuple[Identifier, ...] = ()
    subject: Reference = Reference()
    contained: tuple[dict[str, object], ...] = ()


class DiagnosticReport(Resource):
    """A report."""

    basedOn: tuple[Reference, ...] = ()  # noqa: N815 - the standard's name
    imagingStudy: tuple[Reference, ...] = ()  # noqa: N815 - the standard's name
    performer: tuple[Reference, ...] = ()
    resultsInterpreter: tuple[Reference, ...] = ()  # noqa: N815 - the standard's name
    issued: str = ""
    conclusion: str = ""
    presentedForm: tuple[Attachment, ...] = ()  # noqa: N815 - the standard's name
    text: Narrative = Narrative()

    @property
    def words(self) -> str:
        """The text: its form, or else its conclusion, or else its narrative."""
        forms = (_form_text(each) for each in self.presentedForm)
        found = next((each for each in forms if each), "") or self.conclusion.strip()
        return (found or plain(self.text.div))[:MAX_TEXT]

    @property
    def study_instance_uid(self) -> str | None:
        """The study that it names by `urn:oid:`."""
        values = (each.identifier.value for each in self.imagingStudy)
        uids = (value.removeprefix("urn:oid:") for value in values)
        return next((uid for uid in uids if uid and is_uid(uid)), None)

    @property
    def is_by_device(self) -> bool:
        """Whether software wrote it: it says so, or names a device and no person."""
        if "AIAST" in {each.code for each in (*self.meta.security, *self.meta.tag)}:
            return True
        kinds = {each.kind for each in (*self.performer, *self.resultsInterpreter)}
        return "Device" in kinds and not kinds & {"Practitioner", "PractitionerRole"}

    @property
    def issued_at(self) -> datetime | None:
        """When it was issued."""
        try:
            read = datetime.fromisoformat(self.issued)
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


class ServiceRequest(Resource):
    """An order."""

    code: Concept = Concept()
    reasonCode: tuple[Concept, ...] = ()  # noqa: N815 - the standard's name
    reasonReference: tuple[Reference, ...] = ()  # noqa: N815 - the standard's name
    note: tuple[Annotation, ...] = ()


class Condition(Element):
    """What a patient has, or may have."""

    id: str = ""
    code: Concept = Concept()
    subject: Reference = Reference()
    verificationStatus: Concept = Concept()  # noqa: N815 - the standard's name

    @property
    def is_refuted(self) -> bool:
        """Whether it was found not to be so (condition-ver-status)."""
        codes = {each.code for each in self.verificationStatus.coding}
        return bool(codes & {"refuted", "entered-in-error"})


class Entry(Element):
    """One resource of an answer."""

    fullUrl: str = ""  # noqa: N815 - the standard's name
    resource: object = None


class Link(Element):
    """Where the rest of an answer is."""

    relation: str = ""
    url: str = ""


class Bundle(Element):
    """A page of an answer."""

    resourceType: str  # noqa: N815 - the standard's name
    entry: tuple[Entry, ...] = ()
    link: tuple[Link, ...] = ()


_SEXES = {"male": "M", "female": "F", "other": "O"}


def _is_record_number(identifier: Identifier) -> bool:
    return "MR" in {each.code for each in identifier.type.coding}


def _birth_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _person_name(names: tuple[HumanName, ...]) -> str | None:
    """Return the first name as a DICOM PN."""
    if not names:
        return None
    given, middle = (*names[0].given[:1], ""), " ".join(names[0].given[1:])
    return "^".join((names[0].family, given[0], middle)).rstrip("^") or None


def _form_text(form: Attachment) -> str:
    """Return a form of plain text or HTML; others are not read."""
    kind = form.contentType.partition(";")[0].strip().lower()
    if kind not in ("text/plain", "text/html"):
        return ""
    try:
        text = base64.b64decode(form.data, validate=False).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return (plain(text) if kind == "text/html" else text).strip()
