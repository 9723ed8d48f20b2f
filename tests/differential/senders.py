"""The storage SCUs of others that send here, and how each of them is called."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, build_context

from tests.data.peers import run_peer

CALLING, CALLED = "XRAY", "MAIRA_GW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A program that sends files over one association.

    `send` gets a folder of its own for what it writes, a port and the files. How it
    ends tells nothing: what was said on the wire is judged.
    """

    name: str
    send: Callable[[Path, int, Sequence[Path]], None]


def _storescu(folder: Path, port: int, files: Sequence[Path]) -> None:
    profile = folder / "storescu.cfg"
    profile.write_text(profile_of(files))
    run_peer(
        *("storescu", "-nh", "-xf", profile, "Files", "-aet", CALLING, "-aec", CALLED),
        *("127.0.0.1", port, *files),
    )


def profile_of(files: Iterable[Path]) -> str:
    """Write an association profile of DCMTK: a context for each class and syntax."""
    pairs = sorted({syntax_and_class(each) for each in files})
    lines = ["[[TransferSyntaxes]]"]
    for syntax in sorted({each[0] for each in pairs}):
        lines += [f"[T{syntax.replace('.', '-')}]", f"TransferSyntax1 = {syntax}"]
    lines += ["[[PresentationContexts]]", "[Contexts]"]
    for number, (syntax, class_uid) in enumerate(pairs, 1):
        name = f"T{syntax.replace('.', '-')}"
        lines.append(f"PresentationContext{number} = {class_uid}\\{name}")
    lines += ["[[Profiles]]", "[Files]", "PresentationContexts = Contexts"]
    return "\n".join(lines) + "\n"


def syntax_and_class(path: Path) -> tuple[str, str]:
    meta = read_file_meta_info(path)
    return str(meta.TransferSyntaxUID), str(meta.MediaStorageSOPClassUID)


def _dcmsend(_folder: Path, port: int, files: Sequence[Path]) -> None:
    run_peer(
        *("dcmsend", "-nh", "-dn", "-ma", "-aet", CALLING, "-aec", CALLED),
        *("127.0.0.1", port, *files),
    )


# GDCM 3.0 throws when its association is torn down, after a release that was answered,
# whoever answered it: the program always ends by SIGABRT.
def _gdcmscu(_folder: Path, port: int, files: Sequence[Path]) -> None:
    run_peer(
        *("gdcmscu", "--store", "--aetitle", CALLING, "--call", CALLED),
        *("127.0.0.1", port, *files),
    )


def _pynetdicom(_folder: Path, port: int, files: Sequence[Path]) -> None:
    pairs = sorted({syntax_and_class(each) for each in files})
    contexts = [build_context(class_uid, syntax) for syntax, class_uid in pairs]
    assoc = AE(CALLING).associate("127.0.0.1", port, contexts, CALLED)
    with suppress(RuntimeError):  # what the library raises where it is not open
        for each in files:
            assoc.send_c_store(each)
    assoc.release()


SENDERS = {
    each.name: each
    for each in (
        Sender(name="storescu", send=_storescu),
        Sender(name="dcmsend", send=_dcmsend),
        Sender(name="gdcmscu", send=_gdcmscu),
        Sender(name="pynetdicom", send=_pynetdicom),
    )
}
