"""Downloads from a server on loopback that answers as the real one does."""

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.errors import DownloadRefused
from model.maira2 import fetch
from model.maira2.fetch import REPOSITORY, REVISION, Source, fetch_snapshot, read_token
from tests.data.hub import Hub, serving

TOKEN = "hf_right"  # noqa: S105 - of this file's own server
FILES = {
    "config.json": b'{"model_type": "maira2"}',
    "model.safetensors": bytes(range(256)) * 64,
    "modeling_maira2.py": b"raise SystemExit('never run')",
    "tokenizer.model": b"pieces",
    "notes/config.json": b"{}",
}
WANTED = ("config.json", "model.safetensors", "tokenizer.model")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(FILES) as served:
        yield served


def source(hub: Hub, token: str | None = TOKEN) -> Source:
    return Source(endpoint=hub.address, token=token)


def refused(hub: Hub, folder: Path, token: str | None = TOKEN) -> str:
    with pytest.raises(DownloadRefused) as raised:
        fetch_snapshot(source(hub, token), folder)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_is_read_is_fetched_and_no_code(hub: Hub, tmp_path: Path) -> None:
    seen: list[str] = []
    assert fetch_snapshot(source(hub), tmp_path, seen.append) == WANTED
    assert seen == [*WANTED]
    for name in WANTED:
        assert (tmp_path / name).read_bytes() == FILES[name]
    assert [*tmp_path.rglob("*.py")] == []
    assert all(".py" not in path for path in hub.asked)


def test_the_pinned_revision_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    fetch_snapshot(source(hub), tmp_path)
    assert all(REVISION in path for path in hub.asked)


def test_a_second_call_fetches_no_bytes_again(hub: Hub, tmp_path: Path) -> None:
    fetch_snapshot(source(hub), tmp_path)
    hub.asked.clear()
    fetch_snapshot(source(hub), tmp_path)
    assert [path for path in hub.asked if path.startswith("GET /microsoft")] == []


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The library waits a second before it asks again."""
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    return monkeypatch


def test_a_cut_file_goes_on_where_it_was_cut(
    hub: Hub, tmp_path: Path, no_pauses: pytest.MonkeyPatch
) -> None:
    no_pauses.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    hub.cut_at = 9000
    fetch_snapshot(source(hub), tmp_path)
    assert hub.ranges == ["bytes=9000-"]
    found = (tmp_path / "model.safetensors").read_bytes()
    assert found == FILES["model.safetensors"]


@pytest.mark.usefixtures("no_pauses")
def test_a_connection_that_stays_cut_is_told_and_the_next_call_goes_on(
    hub: Hub, tmp_path: Path
) -> None:
    hub.cut_at = 100
    assert "fetch again, the files that have come are kept" in refused(hub, tmp_path)
    hub.cut_at = None
    hub.asked.clear()
    fetch_snapshot(source(hub), tmp_path)
    assert not any(p.startswith("GET") and "config.json" in p for p in hub.asked)
    found = (tmp_path / "model.safetensors").read_bytes()
    assert found == FILES["model.safetensors"]


@pytest.mark.parametrize(
    ("refusal", "token", "wanted"),
    [
        ((401, "GatedRepo"), None, "wants a token (401): set HF_TOKEN"),
        ((401, ""), TOKEN, "refused the token (401)"),
        ((403, "GatedRepo"), TOKEN, "accept its conditions at http://127.0.0.1"),
        ((403, ""), TOKEN, "let the token read gated repositories"),
        ((404, "RevisionNotFound"), TOKEN, f"has no revision {REVISION}"),
        ((404, "RepoNotFound"), TOKEN, "(404)"),
        ((418, ""), TOKEN, "answered 418"),
    ],
)
def test_each_refusal_is_explained(
    hub: Hub,
    tmp_path: Path,
    refusal: tuple[int, str],
    token: str | None,
    wanted: str,
) -> None:
    hub.refusal = refusal
    told = refused(hub, tmp_path, token)
    assert wanted in told
    assert TOKEN not in told


def test_the_page_to_accept_names_the_repository(hub: Hub, tmp_path: Path) -> None:
    hub.refusal = (403, "GatedRepo")
    assert refused(hub, tmp_path).endswith(f"{hub.address}/{REPOSITORY}")


def test_a_server_that_is_not_there_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.address = "http://127.0.0.1:1"
    assert "the connection to http://127.0.0.1:1 failed" in refused(hub, tmp_path)


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_RESERVE_BYTES", 2**60)
    assert "GB are needed" in refused(hub, tmp_path)
    assert all("/api/" in path for path in hub.asked)


def test_a_file_of_another_size_is_told(hub: Hub, tmp_path: Path) -> None:
    fetch_snapshot(source(hub), tmp_path)
    (tmp_path / "config.json").write_bytes(b"{}")
    assert "config.json has 2 bytes" in refused(hub, tmp_path)


def test_a_file_whose_bytes_are_not_those_that_were_told_is_refused(
    hub: Hub, tmp_path: Path
) -> None:
    right = FILES["model.safetensors"]
    hub.digests["model.safetensors"] = hashlib.sha256(right).hexdigest()
    fetch_snapshot(source(hub), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(bytes(len(right)))
    assert "model.safetensors has another SHA-256" in refused(hub, tmp_path)


@pytest.mark.parametrize("page", [b"<html>Sign in</html>", b"{}", b"[]"])
def test_a_page_of_a_proxy_is_told(hub: Hub, tmp_path: Path, page: bytes) -> None:
    hub.page = page
    assert "is no list of files" in refused(hub, tmp_path)


def test_a_folder_that_cannot_be_written_is_not_called_a_broken_connection(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch, "_fetch", full)
    assert refused(hub, tmp_path).endswith("No space left on device")


def test_the_token_is_in_no_text_about_a_source(hub: Hub) -> None:
    assert TOKEN not in repr(source(hub))


def test_the_token_file_goes_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hf_file\n")
    assert read_token("hf_variable", file) == "hf_file"
    assert read_token(" hf_variable ", None) == "hf_variable"
    assert read_token(None, None) is None


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_token_file_without_a_token_is_refused(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DownloadRefused, match="the token file"):
        read_token("hf_variable", file)
