"""The tables about whose studies are read first: priorities, projects, campaigns."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from config.values import Clock, Section, Title, distinct

Titles = Annotated[tuple[Title, ...], AfterValidator(distinct)]
ProjectName = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]


class QueueSettings(Section):
    """Shares of the turns, and what makes a study urgent or a back-fill."""

    urgent_share: PositiveFloat
    routine_share: PositiveFloat
    back_fill_share: PositiveFloat
    urgent_titles: Titles
    back_fill_titles: Titles
    order_priority: bool

    @model_validator(mode="after")
    def _a_title_means_one_priority(self) -> Self:
        both = sorted({*self.urgent_titles} & {*self.back_fill_titles})
        if both:
            raise ValueError(f"{both[0]!r} is in urgent_titles and back_fill_titles")
        return self


class ProjectSettings(Section):
    """A project that takes turns with others."""

    titles: Titles = ()
    weight: PositiveFloat = 1.0


class CampaignSettings(Section):
    """Limits of a campaign that names none of its own."""

    per_hour: PositiveFloat
    in_flight: PositiveInt
    opens: Clock
    closes: Clock
    retrieve_seconds: PositiveFloat
