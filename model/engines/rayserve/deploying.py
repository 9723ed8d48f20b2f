"""Put the model into a cluster of Ray Serve, look at it, take it away. The home of ray.

Serve schedules, watches and replaces the replicas; nothing here does. A second
deployment under the same name is rolled out: old replicas end what they have begun.
"""

import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray
from ray import serve
from ray.serve.api import RunTarget
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ApplicationStatus

from model.engines.rayserve.plan import Deployment, Replicas
from model.engines.rayserve.replica import Replica
from model.errors import EngineUnavailable

REPLICA = "replica"
_PROBE_SECONDS = 5.0
_POLL_SECONDS = 0.5
_LOADINGS = 3
"""Tries of a replica to load before the deployment is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an application stands: Serve's word for it, and replicas by their state."""

    application: str
    status: str
    message: str
    replicas: tuple[tuple[str, int], ...] = ()


def deploy(plan: Deployment, seconds: float, seen: Callable[[str], None]) -> Standing:
    """Deploy, and wait until every replica that must be there has loaded the model.

    seen : told how it stands, whenever it is looked at.
    Raises `CheckpointError` for a checkpoint that is not whole, `EngineUnavailable`
    without a cluster, where replicas fail to load, and where they are not there in
    time; what was deployed stays then, and Serve goes on.
    """
    # It loads torch, which only this verb has a use for.
    from model.maira2.snapshot import weights_digest  # noqa: PLC0415

    digest = weights_digest(plan.options.checkpoint)
    with _connected(plan.cluster):
        listening = plan.proxies
        serve.start(
            proxy_location="EveryNode",
            http_options={
                "host": listening.host,
                "port": listening.port,
                "ssl_certfile": listening.certificate or None,
                "ssl_keyfile": listening.key or None,
            },
        )
        target = RunTarget(
            target=_application(plan, digest),
            name=plan.application,
            route_prefix=f"/{plan.application}",
        )
        serve.run_many([target], wait_for_applications_running=False)
        return _await_running(plan.application, seconds, seen)


def look(cluster: str, application: str) -> Standing | None:
    """Return how an application stands; None: there is none of the name.

    Raises `EngineUnavailable` without a cluster.
    """
    with _connected(cluster):
        return _look(application)


def remove(cluster: str, application: str) -> bool:
    """Take an application away, once it has ended what it began; False: none is there.

    Raises `EngineUnavailable` without a cluster.
    """
    with _connected(cluster):
        if _look(application) is None:
            return False
        serve.delete(application)
        return True


def _await_running(
    application: str, seconds: float, seen: Callable[[str], None]
) -> Standing:
    until = time.monotonic() + seconds
    while True:
        standing = _look(application)
        if standing is not None:
            seen(f"{standing.status}, {_count(standing)}")
            if standing.status == ApplicationStatus.RUNNING:
                return standing
            if standing.status == ApplicationStatus.DEPLOY_FAILED:
                raise EngineUnavailable(f"it was not deployed: {standing.message}")
        if time.monotonic() > until:
            why = "it is not there" if standing is None else standing.message
            raise EngineUnavailable(
                f"not every replica was ready within {seconds:g} s: {why}"
            )
        time.sleep(_POLL_SECONDS)


def _count(standing: Standing) -> str:
    counted = (f"{count} {state}" for state, count in standing.replicas)
    return ", ".join(counted) or "no replicas"


def _look(application: str) -> Standing | None:
    found = serve.status().applications.get(application)
    if found is None:
        return None
    states: Counter[str] = Counter()
    messages = [found.message]
    for each in found.deployments.values():
        states.update(each.replica_states)
        messages.append(each.message)
    return Standing(
        application=application,
        status=str(found.status.value),
        message=_last_words(messages),
        replicas=tuple(sorted(states.items())),
    )


def _last_words(messages: list[str]) -> str:
    """Return the last line of each message: a traceback says there what failed."""
    lines = (text.strip().splitlines() for text in messages)
    return "; ".join(dict.fromkeys(said[-1].strip() for said in lines if said))


def _application(plan: Deployment, digest: str) -> serve.Application:
    """Bind the replicas; another digest is another version, which is rolled out."""
    own = plan.replicas
    deployed: serve.Deployment = serve.deployment(
        name=REPLICA,
        ray_actor_options={"num_cpus": own.cpus, "num_gpus": own.gpus},
        max_ongoing_requests=own.studies,
        max_queued_requests=own.waiting,
        max_surge_percent=own.surge_percent,
        max_constructor_retry_count=_LOADINGS,
        health_check_period_s=plan.health_seconds,
        health_check_timeout_s=plan.health_timeout_seconds,
        graceful_shutdown_timeout_s=plan.drain_seconds,
    )(Replica)
    if own.least == own.most:
        deployed = deployed.options(num_replicas=own.least)
    else:
        deployed = deployed.options(autoscaling_config=_scaling(own))
    return deployed.bind(plan.options, digest, plan.batching)


def _scaling(own: Replicas) -> AutoscalingConfig:
    """Have Serve keep so many replicas as the studies under way and waiting need."""
    return AutoscalingConfig(
        min_replicas=own.least,
        max_replicas=own.most,
        target_ongoing_requests=own.target,
        upscale_delay_s=own.upscale_seconds,
        downscale_delay_s=own.downscale_seconds,
    )


@contextmanager
def _connected(cluster: str) -> Iterator[None]:
    """Be a driver of a cluster for a while. Raises `EngineUnavailable` without one."""
    _demand_head(cluster)
    try:
        ray.init(address=cluster, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError) as error:
        raise EngineUnavailable(
            f"no Ray cluster at {cluster!r}: {_last_words([str(error)])}"
        ) from error
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def _demand_head(cluster: str) -> None:
    """Raise where nobody listens; Ray itself would try for minutes."""
    host, _, port = cluster.rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host, int(port)), _PROBE_SECONDS).close()
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"no Ray cluster at {cluster!r}: {error}") from error
