"""The table about Ray Serve: what does not fit together is refused."""

from pathlib import Path

import pytest

from config.errors import InvalidSettings
from config.load import Table, load_settings
from model.engines.rayserve.plan import Batching, Replicas
from model.options import Domain


def test_the_defaults_are_one_copy_on_this_machine() -> None:
    settings = load_settings()
    place = settings.ray.place()
    assert place.proxies == ("http://127.0.0.1:8000",)
    assert (place.domain, place.authorities) == (Domain.PHANTOM, None)
    plan = settings.ray.deployment(settings.engine_options(), settings.engine)
    assert (plan.cluster, plan.application) == ("auto", "maira")
    assert (plan.replicas, plan.batching) == (Replicas(), Batching())
    assert plan.drain_seconds == 1830


def test_what_a_site_says_of_the_copies_is_what_is_deployed() -> None:
    ray: Table = {
        "authorities": "/etc/ca.pem",
        "least_replicas": 2,
        "most_replicas": 6,
        "replica_gpus": 0.5,
        "target_studies": 4.0,
        "surge_percent": 50,
    }
    engine: Table = {"deadline_seconds": 0.0, "collect_milliseconds": 20.0}
    settings = load_settings(None, {"ray": ray, "engine": engine})
    plan = settings.ray.deployment(settings.engine_options(), settings.engine)
    own = plan.replicas
    assert (own.least, own.most, own.gpus, own.target) == (2, 6, 0.5, 4)
    assert (own.surge_percent, plan.batching.seconds) == (50, 0.02)
    assert plan.drain_seconds == 3630
    assert settings.ray.place().authorities == Path("/etc/ca.pem")


@pytest.mark.parametrize(
    ("ray", "why"),
    [
        ({"proxies": []}, r"ray\.proxies"),
        ({"proxies": ["gpu1:8000"]}, r"ray\.proxies"),
        ({"proxies": ["http://gpu1:8000/path"]}, r"ray\.proxies"),
        ({"proxies": ["http://u:p@gpu1:8000"]}, "no password in a URL"),
        ({"proxies": ["http://a", "http://a"]}, "named more than once"),
        ({"application": "a/b"}, r"ray\.application"),
        ({"reads": "everything"}, r"ray\.reads"),
        ({"least_replicas": 3}, "least_replicas are more than most_replicas"),
        ({"target_studies": 9.0}, "target_studies are more than replica_studies"),
        ({"replica_cpus": 0.0}, "a share of a CPU or of a GPU"),
        ({"replica_gpus": 1.5}, "whole numbers"),
        ({"certificate": "/a.pem"}, "both certificate and key"),
        ({"surge_percent": 101}, r"ray\.surge_percent"),
        ({"port": 0}, r"ray\.port"),
        ({"cluster": "gpu1"}, r"ray\.cluster"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_does_not_fit_is_told_with_its_key(ray: Table, why: str) -> None:
    with pytest.raises(InvalidSettings, match=why):
        load_settings(None, {"ray": ray})
