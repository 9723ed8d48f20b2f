"""What is deployed, and where it is asked. Light: importing this loads no ray."""

from dataclasses import dataclass
from pathlib import Path

from model.options import Domain, EngineOptions

GRACE_SECONDS = 30.0
"""A reading that overruns its deadline by more hangs: its replica is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServePlace:
    """Where the proxies of Serve are, and what is expected there.

    proxies : their addresses, as "http://gpu1:8000".
    domain : what the deployed checkpoint reads; answers of another are refused.
    authorities : certificates (PEM) that https is checked with; None: the system's.
    connect_seconds : in which a proxy must take the connection.
    """

    proxies: tuple[str, ...]
    application: str
    domain: Domain
    authorities: Path | None = None
    connect_seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Where the proxies listen; with a certificate and its key they speak TLS.

    The files lie on every node, under the same names.
    """

    host: str
    port: int
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """How many copies of the model there are, and what each gets.

    cpus, gpus : of a node, for one copy; fractions are shares.
    studies : that one copy holds at one time, at most: read together or waiting.
    target : studies a copy, above which there are to be more copies (to `most`).
    upscale_seconds, downscale_seconds : how long it must be so.
    waiting : studies that a proxy holds while every copy has its fill; more are
        sent back.
    surge_percent : of the copies, that may be there beside them in a roll-out.
    """

    least: int = 1
    most: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    studies: int = 8
    target: float = 2.0
    upscale_seconds: float = 10.0
    downscale_seconds: float = 600.0
    waiting: int = 32
    surge_percent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How studies are read together where a copy runs on CUDA.

    seconds : that the first waits for others; tokens : of all, at most.
    """

    seconds: float = 0.005
    tokens: int = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An application of Ray Serve with the model in it.

    cluster : address of the head, "host:port", or "auto": the one of this machine.
    drain_seconds : that a copy gets at its end, for what it has begun.
    health_seconds : between two questions whether a copy is well;
        health_timeout_seconds : for the answer.
    """

    cluster: str
    application: str
    options: EngineOptions
    proxies: Proxies
    replicas: Replicas = Replicas()
    batching: Batching = Batching()
    drain_seconds: float = 1830.0
    health_seconds: float = 10.0
    health_timeout_seconds: float = 30.0
