"""`audit verify|key|rotate-key|verifier|bundle`: that the log is what was signed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import NO, WRONG_USE, fail, print_json, print_line
from gateway.cli.site import AsJson, now, os_user, site_ledger, site_settings

if TYPE_CHECKING:
    from gateway.audit.notes import PublicKey, Signer
    from gateway.audit.verifying import Verdict
    from gateway.ledger import Ledger

PublicKeyText = Annotated[
    str | None,
    typer.Option(
        "--key",
        help="Public key, or its file, that you kept; without it the gateway's own.",
    ),
]


def verify(
    context: typer.Context,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of handed out checkpoints; may be repeated."),
    ] = None,
    key_text: PublicKeyText = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the whole log and compare it with every checkpoint; 1 where it differs.

    Without --checkpoints the folder of the settings is read. A log is vouched for by
    checkpoints that the gateway cannot edit, and by a key that you keep elsewhere.
    """
    from gateway.log_keeping.verification import verify_ledger

    settings = site_settings(context)
    own = settings.audit.checkpoint_folder
    folders = checkpoints or ([Path(own)] if own else [])
    for folder in folders:
        if not folder.is_dir():
            fail(f"{folder} is no folder: name one with --checkpoints", WRONG_USE)
    with site_ledger(context) as ledger:
        public = _public(context, ledger, key_text)
        verdict = verify_ledger(ledger, public, folders)
    if as_json:
        print_json({"intact": verdict.intact, "verdict": verdict})
    else:
        _print_verdict(verdict, compared_elsewhere=bool(folders))
    if not verdict.intact:
        raise typer.Exit(NO)


def key(context: typer.Context) -> None:
    """Print the public key of the log: write it down, away from this machine."""
    with site_ledger(context) as ledger:
        print_line(str(_signer(context, ledger).public))


def rotate_key(context: typer.Context) -> None:
    """Let a new key sign the log from now on; the old one signs the new one.

    Who holds the old public key can go on verifying with it.
    """
    from gateway.log_keeping.sealing import change_key

    with site_ledger(context) as ledger:
        path = site_settings(context).audit_key_path
        change = change_key(ledger, path, os_user(), now())
    print_line(str(change.new))


def verifier(
    out: Annotated[Path, typer.Option(help="New file: a program in Python.")],
) -> None:
    """Write the verifier that needs nothing of this gateway, to take elsewhere."""
    import gateway.audit

    program = Path(gateway.audit.__file__).with_name("verifier.py")
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(program.read_text("utf-8"))
    except FileExistsError:
        fail(f"{out} exists; name a new file with --out")
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}")
    print_line(f"python {out} --key KEY --checkpoints FOLDER BUNDLE")


def bundle(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="New file, for the verifier.")],
    since: Annotated[datetime | None, typer.Option(help="First moment, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Excluded, UTC.")] = None,
    study: Annotated[str | None, typer.Option(help="Only this study.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write records with the proof that they are in the log, signed.

    Without any condition the bundle holds all records that are kept.
    """
    from gateway.ledger import AuditFilter
    from gateway.log_keeping.exporting import write_bundle

    times = [moment and moment.replace(tzinfo=UTC) for moment in (since, until)]
    wanted = AuditFilter(since=times[0], until=times[1], study_instance_uid=study)
    try:
        with site_ledger(context) as ledger, out.open("x", encoding="utf-8") as file:
            signer = _signer(context, ledger)
            done = write_bundle(ledger, signer, wanted, (os_user(), now()), file)
    except FileExistsError:
        fail(f"{out} exists; name a new file with --out")
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}")
    if as_json:
        size = done.checkpoint.size
        print_json({"file": out, "records": done.records, "log_size": size})
    else:
        print_line(f"{done.records} records of {done.checkpoint.size} in {out}")


def _signer(context: typer.Context, ledger: "Ledger") -> "Signer":
    from gateway.log_keeping.sealing import find_signer

    return find_signer(site_settings(context).audit_key_path, ledger)


def _public(context: typer.Context, ledger: "Ledger", text: str | None) -> "PublicKey":
    from gateway.audit.notes import parse_public_key
    from gateway.errors import UnreadableNote

    if text is None:
        return _signer(context, ledger).public
    try:
        path = Path(text)
        return parse_public_key(path.read_text("utf-8") if path.is_file() else text)
    except UnreadableNote as error:
        fail(f"--key: {error}", WRONG_USE)
    except (OSError, UnicodeDecodeError):
        fail("--key: that file cannot be read as text", WRONG_USE)


def _print_verdict(verdict: "Verdict", *, compared_elsewhere: bool) -> None:
    print_line(
        f"records {verdict.first} to {verdict.last}; {verdict.agreeing} checkpoints "
        f"agree, the newest vouches for {verdict.signed}"
    )
    if verdict.earlier:
        print_line(f"{verdict.earlier} checkpoints are of records that were removed")
    if verdict.last > verdict.signed:
        print_line(f"{verdict.last - verdict.signed} records are not signed yet")
    if not compared_elsewhere:
        print_line("compared with no checkpoint outside of the ledger")
    for fault in verdict.faults:
        print_line(f"{fault.kind}: {fault.detail}")
    print_line("INTACT" if verdict.intact else "NOT WHAT WAS SIGNED")
