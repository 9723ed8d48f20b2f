"""Every check of the gate, in the order in which they run."""

from pathlib import Path

from gate.findings import Check, Finding
from gate.foreign import check_foreign_files
from gate.homes import check_homes
from gate.licences import check_licences
from gate.texts import check_machine_paths, check_registry_hosts, check_remote_code
from gate.tools import check_format, check_imports, check_lint, check_types


def _installed_licences(_root: Path) -> list[Finding]:
    return check_licences()


CHECKS = (
    Check(name="format", run=check_format),
    Check(name="lint", run=check_lint),
    Check(name="types", run=check_types),
    Check(name="imports", run=check_imports),
    Check(name="homes", run=check_homes),
    Check(name="licences", run=_installed_licences),
    Check(name="foreign-files", run=check_foreign_files),
    Check(name="remote-code", run=check_remote_code),
    Check(name="machine-paths", run=check_machine_paths),
    Check(name="registry-hosts", run=check_registry_hosts),
)
