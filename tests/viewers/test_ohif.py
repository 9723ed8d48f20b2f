"""OHIF 3.13.2 shows every box where the ledger has it, with its sentence."""

import pytest

from dicom_io.results.kinds import ResultKind
from tests.viewers.ohif import Viewed, disagreements

pytestmark = [pytest.mark.peers, pytest.mark.slow]

WITH_BOXES = ["phantom", "monochrome1", "many", "film"]
ZERO_SPACING = pytest.param(
    "film-spacing-0",
    marks=pytest.mark.xfail(
        strict=False,
        reason="OHIF 3.13.2 draws image and boxes at Pixel Spacing 0\\0 hardly ever",
    ),
)


@pytest.mark.parametrize("name", [*WITH_BOXES, ZERO_SPACING])
def test_every_box_lies_where_the_ledger_has_it_with_its_sentence(
    name: str, viewed: Viewed
) -> None:
    study = viewed.shown[name]
    assert study.boxes
    with viewed.opened(study) as ohif:
        ohif.open_series(study.series_number(ResultKind.FINDINGS_SR))
        seen = ohif.rectangles(len(study.boxes))
        assert disagreements(study, study.boxes, seen) == []
        assert ohif.draws_the_image()
        assert ohif.errors == []


@pytest.mark.parametrize("name", [*WITH_BOXES, "film-spacing-0", "none"])
def test_the_narrative_is_text_in_the_viewport(name: str, viewed: Viewed) -> None:
    study = viewed.shown[name]
    with viewed.opened(study) as ohif:
        ohif.open_series(study.series_number(ResultKind.NARRATIVE_SR))
        for sentence in study.sentences:
            ohif.wait_for_text(sentence)
        assert ohif.errors == []
