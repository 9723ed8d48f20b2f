import pytest

from config.urls import has_secret, is_url, masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///data/ledger.sqlite", "sqlite:///data/ledger.sqlite"),
        ("postgresql://gw@db:5432/m", "postgresql://gw@db:5432/m"),
        ("postgresql://gw:a@db/m", "postgresql://gw:***@db/m"),
        ("postgresql://gw:a?b@c/d@db/m", "postgresql://gw:***@db/m"),
        (
            "postgresql://db/m?user=a&pass%77ord=b",
            "postgresql://db/m?user=a&pass%77ord=***",
        ),
        ("mssql://?odbc_connect=PWD%3Da", "mssql://?odbc_connect=***"),
        ("no url", "no url"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert masked(url) == shown
    assert has_secret(url) == (url != shown)


@pytest.mark.parametrize(
    ("text", "answer"),
    [("sqlite:///a", True), ("a+b://c", True), ("a.sqlite", False), ("://a", False)],
)
def test_a_url_begins_with_its_scheme(text: str, answer: bool) -> None:
    assert is_url(text) is answer
