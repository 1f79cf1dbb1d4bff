import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.text import redact

WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:secret@host:5432/db",
        "mysql+pymysql://ada:secret@host/db",
        "redis://:secret@host",
        "postgresql://ada:p@secret@host/db",
        "postgresql://ada:p/secret@host/db",
        "postgresql://ada:p?secret@host/db",
    ],
)
def test_the_password_before_the_host_is_struck_out(url: str) -> None:
    text = redact(f"cannot reach {url}: refused")
    assert "secret" not in text
    assert ":***@host" in text


@pytest.mark.parametrize(
    "query",
    [
        "user=ada&password=secret",
        "password=a@secret&user=ada",
        "user=ada&sslpassword=secret",
        "PWD=secret",
        "pass%77ord=secret",
        "access_token=secret",
        "odbc_connect=Server%3Dhost%3BUID%3Dada%3BPWD%3Dsecret",
    ],
)
def test_a_password_in_the_query_is_struck_out(query: str) -> None:
    assert "secret" not in redact(f"cannot reach mssql+pyodbc://host:1433/db?{query}")


@given(user=WORDS, password=WORDS.map("!{}!".format), port=st.integers(1, 65535))
def test_whatever_the_password_nothing_of_it_stays(user: str, password: str, port: int) -> None:
    kept = f"postgresql://{user}:***@host:{port}/db?user={user}&password=***&timeout=3"
    assert redact(kept.replace("***", password)) == kept


@given(st.text())
def test_what_is_redacted_stays_as_it_is(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///study.db",
        "at 12:30 mail ada@host",
        "http://host:80/x",
        "mysql://ada@host/db?charset=utf8&name=compass",
        "is it a password? pass=me",
    ],
)
def test_what_is_no_password_stays(text: str) -> None:
    assert redact(text) == text
