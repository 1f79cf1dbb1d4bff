import pytest

from neptune_nas.report.redact import redact


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:secret@host:5432/db",
        "mysql+pymysql://ada:secret@host/db",
        "redis://:secret@host",
        "postgresql://ada:p@secret@host/db",
    ],
)
def test_the_password_of_a_url_is_struck_out(url: str) -> None:
    text = redact(f"cannot reach {url}: refused")
    assert "secret" not in text
    assert ":***@host" in text


@pytest.mark.parametrize(
    "text", ["sqlite:///study.db", "at 12:30 mail ada@host", "http://host:80/x"]
)
def test_what_is_no_password_stays(text: str) -> None:
    assert redact(text) == text
