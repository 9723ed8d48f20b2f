"""DICOMweb as user, against a service that answers what the test says."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.rounds import free_port
from dicom_io.errors import PeerFailure, PeerRefused, PeerTimedOut, PeerUnreachable
from dicom_io.identifiers import StudyQuery
from dicom_io.scu.web import count_instances, find_instances, find_studies
from dicom_io.scu.web_pages import MAX_PAGES
from dicom_io.scu.web_retrieve import retrieve_study
from dicom_io.scu.web_session import ANSWER_CAP_BYTES
from dicom_io.scu.web_store import store_instances
from dicom_io.status import StoreVerdict
from tests.data.network import LOCAL, Recorder, part10, radiograph, written
from tests.data.web import TOKEN, Answer, Service, multipart, serving

PATIENT = "P&1+ü #="
QUESTION = StudyQuery(patient_id=PATIENT, issuer="H")


def study(uid: str = "1.2.3", **values: object) -> dict[str, object]:
    answer = {"0020000D": {"vr": "UI", "Value": [uid]}}
    return answer | {tag[1:]: value for tag, value in values.items()}


def answered(*studies: object) -> Answer:
    return Answer(body=json.dumps(list(studies)).encode())


def items(tag: str, **reasons: int) -> dict[str, object]:
    """Build a sequence of STOW-RS: film 1 is named by `one`, film 2 by `two`."""
    names = {"one": "1.2.3.1.1.1", "two": "1.2.3.1.1.2"}
    value = [
        {
            "00081155": {"vr": "UI", "Value": [names[name]]},
            "00081197": {"vr": "US", "Value": [reason]},
        }
        for name, reason in reasons.items()
    ]
    return {tag: {"vr": "SQ", "Value": value}}


def stored(answer: Answer, folder: Path) -> list[StoreVerdict]:
    films = [written(folder, radiograph(number)) for number in (1, 2)]
    with serving(answer) as service:
        return [each.verdict for each in store_instances(service.remote(), films)]


def filters_of(service: Service) -> dict[str, list[str]]:
    return parse_qs(urlsplit(service.asked[0][1]).query)


def test_the_patient_id_is_asked_for_as_it_is() -> None:
    with serving(answered()) as service:
        assert find_studies(service.remote(), QUESTION).studies == ()
    asked = filters_of(service)
    assert (asked["PatientID"], asked["IssuerOfPatientID"]) == ([PATIENT], ["H"])


def test_the_token_and_the_port_are_in_the_request() -> None:
    with serving(answered()) as service:
        find_studies(service.remote(), QUESTION)
    headers = service.asked[0][2]
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Host"] == f"127.0.0.1:{service.port}"


@pytest.mark.parametrize("patient_id", ["", "*", "P?", "P\\Q", "P\n", "x" * 65])
def test_a_key_that_matches_several_patients_is_never_sent(patient_id: str) -> None:
    with serving(answered()) as service, pytest.raises(ValueError, match="exact"):
        find_studies(service.remote(), StudyQuery(patient_id=patient_id))
    assert service.asked == []


def test_one_broken_answer_costs_itself_and_no_other() -> None:
    broken: list[object] = [
        7,
        None,
        {},
        {"0020000D": 3},
        study(""),
        {"0020000D": {"Value": [{}]}},
    ]
    with serving(answered(*broken, study("1.2.4"))) as service:
        found = find_studies(service.remote(), QUESTION).studies
    assert [each.study_instance_uid for each in found] == ["1.2.4"]


def test_a_value_that_cannot_be_read_counts_as_left_out() -> None:
    answer = study(
        t00080020={"vr": "DA", "Value": ["yesterday"]},
        t00100010={"vr": "PN", "Value": [{"Alphabetic": "Doe^Ann"}]},
        t00201208={"vr": "IS", "Value": ["many"]},
        t00080061={"vr": "CS", "Value": ["DX", None, 4]},
    )
    with serving(answered(answer)) as service:
        found = find_studies(service.remote(), QUESTION).studies[0]
    assert (found.study_date, found.instance_count) == (None, None)
    assert found.patient.name == "Doe^Ann"
    assert found.modalities == ("DX", "4")


def test_no_content_means_that_there_is_nothing() -> None:
    with serving(Answer(status=204)) as service:
        assert find_studies(service.remote(), QUESTION).studies == ()
        assert count_instances(service.remote(), "1.2.3") == 0
        assert find_instances(service.remote(), "1.2.3") == frozenset()


def test_no_more_answers_than_the_limit_are_read() -> None:
    with serving(answered(*(study(f"1.2.{n}") for n in range(9)))) as service:
        found = find_studies(service.remote(), QUESTION, limit=3)
        assert len(found.studies) == 3
        assert "there may be more" in found.remarks[0]


MORE = (("Warning", "299 pacs: There are 2 additional results that can be requested"),)


def page(*studies: object, more: bool = True) -> Answer:
    return replace(answered(*studies), headers=MORE if more else ())


def test_pages_are_asked_for_as_long_as_more_is_announced() -> None:
    pages = (page(study("1.2.1"), 7), page(study("1.2.2")), page(more=False))
    with serving(*pages) as service:
        found = find_studies(service.remote(), QUESTION)
    assert [each.study_instance_uid for each in found.studies] == ["1.2.1", "1.2.2"]
    assert found.remarks == ()
    asked = [parse_qs(urlsplit(path).query) for _, path, _ in service.asked]
    assert [each.get("offset") for each in asked] == [None, ["2"], ["3"]]


def test_an_answer_without_that_warning_is_whole() -> None:
    other = (("Warning", "299 pacs: The fuzzymatching parameter is not supported"),)
    with serving(replace(answered(study()), headers=other)) as service:
        assert len(find_studies(service.remote(), QUESTION).studies) == 1
    assert len(service.asked) == 1


def test_a_service_that_repeats_its_first_page_is_not_asked_for_ever() -> None:
    with serving(page(study())) as service:
        found = find_studies(service.remote(), QUESTION)
    assert (len(found.studies), len(service.asked)) == (1, 2)
    assert found.remarks == ("pacs announces more than it names, 1",)


def test_pages_without_end_are_ended() -> None:
    pages = (page(study(f"1.2.{number}")) for number in range(1, 100))
    with serving(*pages) as service:
        found = find_studies(service.remote(), QUESTION)
    assert len(found.studies) == len(service.asked) == MAX_PAGES
    assert "announces more" in found.remarks[0]


def test_the_instances_of_a_study_come_in_pages_too() -> None:
    named = [{"00080018": {"vr": "UI", "Value": [f"1.9.{n}"]}} for n in (1, 2, 3)]
    with serving(page(*named[:2]), page(named[2], more=False)) as service:
        found = find_instances(service.remote(), "1.2.3")
    assert found == {"1.9.1", "1.9.2", "1.9.3"}


def test_an_answer_over_the_cap_is_given_up() -> None:
    body = b'[{"00081030": "' + b"x" * ANSWER_CAP_BYTES + b'"}]'
    with (
        serving(Answer(body=body)) as service,
        pytest.raises(PeerFailure, match="over the size limit"),
    ):
        find_studies(service.remote(), QUESTION)


def test_a_count_of_another_study_is_not_taken() -> None:
    other = study("1.2.9", t00201208={"vr": "IS", "Value": [4]})
    with serving(answered(other)) as service:
        assert count_instances(service.remote(), "1.2.3") is None
        assert count_instances(service.remote(), "1.2.9") == 4


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(status=400), PeerRefused),
        (Answer(status=401), PeerRefused),
        (Answer(status=403), PeerRefused),
        (Answer(status=404), PeerRefused),
        (Answer(status=415), PeerRefused),
        (Answer(status=500), PeerFailure),
        (Answer(status=503), PeerFailure),
        (Answer(status=302, headers=(("Location", "/elsewhere"),)), PeerRefused),
        (Answer(body=b"<html>"), PeerFailure),
        (Answer(body=b'"text"'), PeerFailure),
        (Answer(body=b"[", missing=9), PeerFailure),
    ],
)
def test_a_failure_names_neither_patient_nor_token(
    answer: Answer, kind: type[PeerFailure]
) -> None:
    seconds = 2.0 if answer.missing else 20.0
    with serving(answer) as service, pytest.raises(PeerFailure) as raised:
        find_studies(service.remote(seconds), StudyQuery(patient_id="P-12345"))
    assert type(raised.value) is kind or answer.missing
    assert "P-12345" not in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_request_is_sent_once_whatever_is_answered() -> None:
    with serving(Answer(status=503)) as service, pytest.raises(PeerFailure):
        find_studies(service.remote(), QUESTION)
    assert len(service.asked) == 1


def test_a_service_that_is_gone_is_unreachable() -> None:
    with serving(answered()) as service:
        pass
    with pytest.raises(PeerUnreachable):
        find_studies(replace(service.remote()), QUESTION)
    assert free_port()


def test_an_answer_that_does_not_end_is_given_up_at_the_deadline() -> None:
    answer = Answer(body=b"[", missing=9)
    with serving(answer) as service:
        remote = service.remote(0.3)
        with pytest.raises((PeerTimedOut, PeerUnreachable)):
            find_studies(remote, QUESTION)


def test_a_broken_instance_costs_itself_and_no_other() -> None:
    recorder = Recorder()
    parts = (part10(radiograph(1)), b"no DICOM" * 40, b"", part10(radiograph(2)))
    with serving(multipart(*parts)) as service:
        brought = retrieve_study(LOCAL, service.remote(), "1.2.3", recorder.sink)
    assert (brought.completed, brought.failed, brought.is_whole) == (2, 2, False)
    named = [each.facts.sop_instance_uid for each in recorder.incoming]
    assert named == ["1.2.3.1.1.1", "1.2.3.1.1.2"]


def test_an_instance_that_is_cut_off_is_discarded() -> None:
    recorder = Recorder()
    whole = multipart(part10(radiograph(1)))
    answer = replace(whole, body=whole.body[:-40])
    with serving(answer) as service, pytest.raises(PeerUnreachable):
        retrieve_study(LOCAL, service.remote(), "1.2.3", recorder.sink)
    assert [each.discarded for each in recorder.incoming] == [True]


def test_a_single_instance_without_parts_is_taken() -> None:
    recorder = Recorder()
    answer = Answer(body=part10(radiograph(1)), media_type="application/dicom")
    with serving(answer) as service:
        brought = retrieve_study(LOCAL, service.remote(), "1.2.3", recorder.sink)
    assert brought.is_whole
    assert recorder.incoming[0].committed


def test_an_answer_that_is_no_dicom_fails_the_retrieval() -> None:
    answer = Answer(body=b"<html>", media_type="text/html")
    with serving(answer) as service, pytest.raises(PeerFailure):
        retrieve_study(LOCAL, service.remote(), "1.2.3", Recorder().sink)


def test_each_instance_has_its_own_outcome(tmp_path: Path) -> None:
    told = items("00081199", one=0) | items("00081198", two=0xA700)
    answer = Answer(status=202, body=json.dumps(told).encode())
    assert stored(answer, tmp_path) == [StoreVerdict.STORED, StoreVerdict.TRANSIENT]


def test_a_conflict_is_read_for_its_reasons(tmp_path: Path) -> None:
    told = items("00081198", one=0x0122, two=0x0111)
    media_type = "application/dicom+json; charset=utf-8"
    answer = Answer(status=409, body=json.dumps(told).encode(), media_type=media_type)
    assert stored(answer, tmp_path) == [StoreVerdict.PERMANENT, StoreVerdict.WARNING]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(), StoreVerdict.STORED),
        (Answer(body=b"<a/>", media_type="application/dicom+xml"), StoreVerdict.STORED),
        (Answer(status=409), StoreVerdict.PERMANENT),
        (Answer(status=202), StoreVerdict.TRANSIENT),
        (Answer(status=401), StoreVerdict.PERMANENT),
        (Answer(status=503), StoreVerdict.TRANSIENT),
        (Answer(body=b'{"00081199": {"Value": []}}'), StoreVerdict.TRANSIENT),
    ],
)
def test_without_a_word_on_an_instance_the_http_status_counts(
    answer: Answer, verdict: StoreVerdict, tmp_path: Path
) -> None:
    assert stored(answer, tmp_path) == [verdict, verdict]


def test_a_service_that_is_gone_gives_transient_outcomes(tmp_path: Path) -> None:
    film = written(tmp_path, radiograph(1))
    with serving(Answer()) as service:
        pass
    outcomes = store_instances(service.remote(), [film])
    assert [each.verdict for each in outcomes] == [StoreVerdict.TRANSIENT]
