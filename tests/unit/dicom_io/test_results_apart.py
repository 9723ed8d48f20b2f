"""Objects that another process makes: the same, with the same refusals, and its end."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import pytest

from dicom_io.errors import NotEncodable, UnreadableHeader
from dicom_io.results import apart
from dicom_io.results.apart import encode_apart
from dicom_io.results.encode import EVERYWHERE, Outputs, encode_results
from dicom_io.results.preflight import demand_sound, look_at
from tests.data.processes import is_gone, wait_until
from tests.data.reports import context, evidence, film_file, instance, report

ROOT = Path(__file__).parents[3]
REPORT, EVIDENCE, CONTEXT = report(), evidence(), context()

ENCODE_AND_WAIT = """
import sys
from multiprocessing import active_children
from pathlib import Path
from tests.data.reports import context, evidence, report
from dicom_io.results.apart import encode_apart
from dicom_io.results.encode import EVERYWHERE

encode_apart(Path(sys.argv[1]), report(), evidence(), context(), EVERYWHERE)
print(*[child.pid for child in active_children()], flush=True)
sys.stdin.readline()
"""


def test_they_are_the_objects_that_this_process_makes(tmp_path: Path) -> None:
    film = film_file(tmp_path)
    here = encode_results(film, REPORT, EVIDENCE, CONTEXT)
    assert encode_apart(film, REPORT, EVIDENCE, CONTEXT, EVERYWHERE) == here


def test_each_kind_alone_is_the_object_that_all_are_made_with(tmp_path: Path) -> None:
    film = film_file(tmp_path)
    whole = {
        made.kind: made for made in encode_results(film, REPORT, EVIDENCE, CONTEXT)
    }
    for kind, made in whole.items():
        only = Outputs(kinds=frozenset({kind}))
        assert encode_apart(film, REPORT, EVIDENCE, CONTEXT, only) == (made,)


def test_a_reference_to_what_nobody_read_is_found(tmp_path: Path) -> None:
    named = replace(CONTEXT, predecessors=(instance("earlier"),))
    film = film_file(tmp_path)
    made = encode_apart(film, REPORT, EVIDENCE, named, EVERYWHERE)
    looks = [look_at(one, EVIDENCE) for one in made]
    demand_sound(looks, EVIDENCE, named)
    with pytest.raises(NotEncodable, match="which was neither read nor made"):
        demand_sound(looks, EVIDENCE, CONTEXT)


def test_a_report_about_another_instance_is_refused_as_here(tmp_path: Path) -> None:
    other = replace(EVIDENCE, frontal=instance("other"))
    with pytest.raises(NotEncodable, match="the report is about"):
        encode_apart(film_file(tmp_path), REPORT, other, CONTEXT, EVERYWHERE)


def test_a_broken_file_is_refused_as_here(tmp_path: Path) -> None:
    broken = tmp_path / "film"
    broken.write_bytes(b"no film")
    with pytest.raises(UnreadableHeader):
        encode_apart(broken, REPORT, EVIDENCE, CONTEXT, EVERYWHERE)


def test_after_a_process_was_killed_others_take_its_place(tmp_path: Path) -> None:
    film = film_file(tmp_path)
    made = encode_apart(film, REPORT, EVIDENCE, CONTEXT, EVERYWHERE)
    pool = apart._ENCODERS.pool()
    for child in active_children():
        os.kill(child.pid or 0, signal.SIGKILL)
    wait_until(lambda: bool(getattr(pool, "_broken", False)))
    with pytest.raises(ChildProcessError, match="died"):
        encode_apart(film, REPORT, EVIDENCE, CONTEXT, EVERYWHERE)
    assert encode_apart(film, REPORT, EVIDENCE, CONTEXT, EVERYWHERE) == made


def test_they_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENCODE_AND_WAIT, str(film_file(tmp_path))]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as gateway:
        assert gateway.stdout is not None
        children = [int(pid) for pid in gateway.stdout.readline().split()]
        assert children
        gateway.kill()
    wait_until(lambda: all(map(is_gone, children)))
