"""The tables of docs/conformance.md (PS3.2) that are more than a list of constants.

Each is read off what the code does: the listener's own contexts, every rejection
that is written in `dicom_io.scp`, the verdict on each of 65,536 statuses, the
attributes of objects that were encoded. A service or rejection that is added shows
without a change here; a new kind of table is a function and a line of `TABLES`.
"""

import ast
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from itertools import groupby
from pathlib import Path

from pydicom import dcmread
from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement
from pydicom.sr.coding import Code
from pydicom.uid import UID
from pynetdicom import sop_class
from pynetdicom.presentation import PresentationContext

from dicom_io import codes, elements, parsing, product, tls
from dicom_io.contexts import listener_contexts, retrieval_contexts
from dicom_io.results.encode import Outputs, encode_results
from dicom_io.results.kinds import PROFILES, ResultKind
from dicom_io.results.vocabulary import FINDINGS
from dicom_io.scp import dialogue, pdu
from dicom_io.status import outcome_of
from gate.rejections import found_rejections
from tests.data import reports

ROOT = Path(__file__).parent.parent
_SCP, _SCU = ROOT / "dicom_io" / "scp", ROOT / "dicom_io" / "scu"

_RESULTS = ("", "rejected-permanent", "rejected-transient")
_SOURCES = ("", "service-user", "service-provider (ACSE)", "service-provider")
_ABORT_SOURCES = ("service-user", "", "service-provider")
_SHOWN_VRS = frozenset({"CS", "UI"})
_OF_STUDY = re.compile(r"Patient|Study|Accession|Referring|Frame of Reference")

Table = tuple[Sequence[str], Iterable[Sequence[object]]]


def accepted_contexts() -> Table:
    """List what the listener accepts, by presentation context."""
    rows = [
        (UID(str(each.abstract_syntax)).name, _syntaxes(each), _role(each))
        for each in listener_contexts()
    ]
    return ("abstract syntax", "transfer syntaxes", "our role"), rows


def proposed_contexts() -> Table:
    """List the services that modules of `dicom_io.scu` propose, and C-GET's storage."""
    rows = [
        (UID(class_uid).name, f"`{class_uid}`", ", ".join(sorted(modules)))
        for class_uid, modules in sorted(_proposed().items())
    ]
    storage = {str(each.abstract_syntax) for each in retrieval_contexts()}
    rows.append(("storage classes of the listener", f"{len(storage)} UIDs", "C-GET"))
    return ("abstract syntax", "UID", "proposed by"), rows


def rejections() -> Table:
    """List every A-ASSOCIATE-RJ that is written in `dicom_io.scp`."""
    rows = [
        (f"({', '.join(map(str, code))})", *_rejected(code), reason)
        for code, reason in found_rejections(_SCP)
    ]
    return ("code", "result", "source", "given when"), rows


def aborts() -> Table:
    """List every A-ABORT that `dicom_io.scp.pdu` has ready."""
    ready = {name: value for name, value in vars(pdu).items() if name[:6] == "ABORT_"}
    rows = [
        (f"({value[8]}, {value[9]})", _ABORT_SOURCES[value[8]], _words(name[6:]))
        for name, value in sorted(ready.items())
    ]
    return ("code", "source", "given for"), rows


def verdicts() -> Table:
    """Return what each status of a destination means to us, all 65,536."""
    rows = []
    for verdict, run in groupby(range(0x10000), outcome_of):
        span = list(run)
        first, last = f"{span[0]:04X}", f"{span[-1]:04X}"
        shown = f"`{first}`" if first == last else f"`{first}` to `{last}`"
        rows.append((shown, verdict.value))
    return ("status", "taken as"), rows


def limits() -> Table:
    """List the limits that are not settings."""
    rows = [
        ("slowest transfer", f"{dialogue.SLOWEST_BYTES_PER_SECOND} bytes a second"),
        ("nesting of sequences", elements.MAX_DEPTH),
        ("elements before the pixel data", f"{elements.MAX_ELEMENTS:,}"),
        ("bytes of one value that is kept", f"{elements.MAX_VALUE_BYTES:,}"),
        ("bytes of all values that are kept", f"{elements.MAX_TOTAL_BYTES:,}"),
        ("growth of a deflated data set", f"{parsing.INFLATED_RATIO} times"),
        ("bytes of a deflated data set", f"{parsing.INFLATED_CEILING:,}"),
    ]
    return ("what", "limit"), rows


def identification() -> Table:
    """Return how this implementation names itself (PS3.7 D.3.3.2)."""
    rows = [
        ("Implementation Class UID", f"`{product.IMPLEMENTATION_CLASS_UID}`"),
        ("Implementation Version Name", f"`{product.IMPLEMENTATION_VERSION_NAME}`"),
        ("Manufacturer", product.MANUFACTURER),
        ("product", product.PRODUCT_NAME),
    ]
    return ("item", "value"), rows


def suites() -> Table:
    """List the cipher suites of TLS 1.2 that are offered, in their order."""
    names = str(vars(tls)["_SUITES"]).split(":")
    return ("suite",), [(f"`{name}`",) for name in names]


def character_sets() -> Table:
    """List the defined terms that are decoded."""
    terms = sorted(term for term in python_encoding if term.startswith("ISO"))
    others = sorted(term for term in python_encoding if term in ("GB18030", "GBK"))
    return ("Specific Character Set (0008,0005)",), [
        (f"`{term}`",) for term in (*terms, *others) if " IR " in term or term in others
    ]


def outputs() -> Table:
    """Return which objects each output profile sends."""
    rows = [
        (f"`{profile}`", *("yes" if kind in kinds else "" for kind in _SENT))
        for profile, kinds in PROFILES.items()
    ]
    return ("profile", *(f"`{kind}`" for kind in _SENT)), rows


_SENT = tuple(kind for kind in ResultKind if kind is not ResultKind.FINDINGS_SR_2D)


def coded_concepts() -> Table:
    """List the codes of `dicom_io.codes`."""
    found: list[Code] = []
    for name, value in vars(codes).items():
        found += [] if name.startswith("_") else _codes_in(value)
    return _code_table(found)


def coded_findings() -> Table:
    """List the codes that findings may get."""
    found = {each.code for each in FINDINGS if each.code is not None}
    return _code_table(
        sorted(found, key=lambda code: (code.scheme_designator, code.value))
    )


def attributes_of(kind: ResultKind) -> Callable[[], Table]:
    """Return a function that lists the attributes of an object as it is encoded."""

    def attributes() -> Table:
        ds = dcmread(BytesIO(_example(kind)))
        rows = [(each.name, str(each.tag), each.VR, _value(each)) for each in ds]
        return ("attribute", "tag", "VR", "value"), rows

    return attributes


TABLES: dict[str, Callable[[], Table]] = {
    "accepted-contexts": accepted_contexts,
    "proposed-contexts": proposed_contexts,
    "rejections": rejections,
    "aborts": aborts,
    "store-verdicts": verdicts,
    "limits": limits,
    "identification": identification,
    "tls-suites": suites,
    "character-sets": character_sets,
    "outputs": outputs,
    "codes": coded_concepts,
    "finding-codes": coded_findings,
    "findings-sr": attributes_of(ResultKind.FINDINGS_SR),
    "narrative-sr": attributes_of(ResultKind.NARRATIVE_SR),
    "gsps": attributes_of(ResultKind.GSPS),
}
"""Mark in docs/conformance.md -> its table."""


def _rejected(code: tuple[int, int, int]) -> tuple[str, str]:
    return _RESULTS[code[0]], _SOURCES[code[1]]


def _words(name: str) -> str:
    return name.replace("_", " ").lower()


def _role(context: PresentationContext) -> str:
    """Return our role: a peer that proposes to be SCP makes us the user."""
    both = context.scu_role and context.scp_role
    return "SCP, SCU" if both else "SCU" if context.scp_role else "SCP"


def _syntaxes(context: PresentationContext) -> str:
    names = [UID(str(each)).name for each in context.transfer_syntax or ()]
    return "; ".join(names) if len(names) <= 4 else f"all {len(names)} below"


def _proposed() -> dict[str, set[str]]:
    """Map the SOP classes that SCU modules import to the names of the modules."""
    found: dict[str, set[str]] = {}
    for path in sorted(_SCU.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == sop_class.__name__:
                for name in node.names:
                    class_uid = str(getattr(sop_class, name.name, ""))
                    if class_uid.startswith("1."):
                        found.setdefault(class_uid, set()).add(path.stem)
    return found


def _codes_in(value: object) -> list[Code]:
    if isinstance(value, Code):
        return [value]
    return list(value.values()) if isinstance(value, dict) else []


def _code_table(found: Iterable[Code]) -> Table:
    rows = [
        (f"`{each.value}`", each.scheme_designator, each.meaning)
        for each in found
        if isinstance(each, Code)
    ]
    return ("code", "scheme", "meaning"), rows


def _example(kind: ResultKind) -> bytes:
    """Encode an example of a result; its builders are those of the tests."""
    with tempfile.TemporaryDirectory() as folder:
        objects = encode_results(
            reports.film_file(Path(folder)),
            reports.report(),
            reports.evidence(with_prior=True),
            reports.context(),
            Outputs(kinds=frozenset({kind})),
        )
    return objects[0].data


def _value(element: DataElement) -> str:
    """Return a value that is the same for every study, else where it comes from."""
    if element.VR == "SQ":
        return f"{len(element.value)} items"
    if _OF_STUDY.search(element.name):
        return "of the study"
    is_class = element.keyword == "SOPClassUID"
    if element.VR in _SHOWN_VRS and (element.VR == "CS" or is_class):
        return f"`{element.value}`"
    return "empty" if not element.value else "made"
