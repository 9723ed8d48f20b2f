"""The rules that a site's settings and its engine give to `dicom_io`."""

from dataclasses import replace

from dicom_io.inputs.prior import PriorGuard
from dicom_io.options import PictureOptions, ViewRules
from gateway.fairness import Priority, Weights
from gateway.site import Site
from model.engine import domain_of
from model.options import Domain


def view_rules(site: Site) -> ViewRules:
    """Return which images may be read; the engine says phantoms or films."""
    phantoms = domain_of(site.engine) is Domain.PHANTOM
    return replace(site.settings.view_rules(), quality_control=phantoms)


def prior_guard(site: Site) -> PriorGuard:
    """Return what a retrieved study must pass to serve as the prior."""
    settings = site.settings
    return PriorGuard(
        identity=settings.identity_policy(),
        prior=settings.prior_rules(),
        views=view_rules(site),
        reports=settings.report_rules(),
    )


def picture_options(site: Site) -> PictureOptions:
    """Return how pictures are made for the model."""
    return PictureOptions(
        rendering=site.settings.pictures.rendering, limits=site.settings.decode_limits()
    )


def weights(site: Site) -> Weights:
    """Return the turns of each priority and project."""
    queue = site.settings.queue
    return Weights(
        priorities={
            Priority.URGENT: queue.urgent_share,
            Priority.ROUTINE: queue.routine_share,
            Priority.BACK_FILL: queue.back_fill_share,
        },
        projects={name: p.weight for name, p in site.settings.projects.items()},
    )
