"""The settings of a site whose model is behind Ray Serve, and its verbs."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import free_port
from config.load import Table, load_settings, merge
from config.settings import Settings
from model.engines.rayserve.asking import RayEngine
from tests.data.ray_nodes import ROOT, Nodes, quiet_environment
from tests.data.sites import toml_of

DEPLOY_SECONDS = 400
COPIES = 2


@dataclass
class RaySite:
    """A site's file over a cluster; `change` rewrites it."""

    folder: Path
    nodes: Nodes
    port: int
    chosen: Table

    @property
    def file(self) -> Path:
        return self.folder / "site.toml"

    def change(self, more: Table) -> None:
        self.chosen = merge(self.chosen, more)
        self.file.write_text(toml_of(self.folder / "data", self.chosen))

    def settings(self) -> Settings:
        return load_settings(self.file)

    def engine(self) -> RayEngine:
        return RayEngine(self.settings().ray.place())

    def start_verb(self, *words: str) -> "subprocess.Popen[str]":
        """Start a verb in a process of its own, as a person would."""
        program = "from gateway.cli.verbs import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", program, "--config", str(self.file), *words],
            env=quiet_environment(),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def verb(self, *words: str) -> tuple[int, str]:
        """Run a verb to its end; return its code and all that it said."""
        process = self.start_verb(*words)
        said, wrong = process.communicate(timeout=DEPLOY_SECONDS)
        return process.returncode, said + wrong

    def deploy(self) -> str:
        code, said = self.verb("engine", "deploy", "--wait", str(DEPLOY_SECONDS))
        assert code == 0, f"{said}\n{self.nodes.log()[-3000:]}"
        return said


def ray_site(folder: Path, nodes: Nodes, copies: int = COPIES) -> RaySite:
    """Write a site's file: one thread a copy, so that sums are those of one thread."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    site = RaySite(folder, nodes, port, {})
    site.change(
        {
            "engine": {
                "kind": "ray",
                "threads": 1,
                "device": "cpu",
                "readers": copies,
            },
            "ray": {
                "proxies": [f"http://127.0.0.1:{port}"],
                "port": port,
                "cluster": nodes.address,
                "least_replicas": copies,
                "most_replicas": copies,
                "replica_cpus": 0.5,
                "health_seconds": 1.0,
                "health_timeout_seconds": 60.0,
            },
        }
    )
    return site
