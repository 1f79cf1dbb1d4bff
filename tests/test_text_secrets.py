from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.text import redact, redact_url

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


@pytest.mark.parametrize("url", ["mysql://ada:{}@host/db", "mysql://host/db?password={}"])
@pytest.mark.parametrize(
    "password", ["a@b", "a/b", "a?b", "a#b", "a&b", "a:b", "a b", "a+b", "a=b"]
)
def test_a_password_has_one_mask_whether_it_is_escaped_or_not(url: str, password: str) -> None:
    shown = url.format("***")
    assert redact_url(url.format(password)) == redact_url(url.format(quote_plus(password))) == shown


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
        "see https://host/a, or http://host:80/b: mail ada",
        "not in sqlite:////a b/c@d.db",
        "see https://host/@ada/a@b",
        "git+ssh://git@host/x.git@v1.2",
        "ftp://ada@host/x@y",
        "http://host/x#part=2&row=3",
        "mysql://ada@host/db?mail=a@b",
    ],
)
def test_what_is_no_password_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada@srv:PW@host", "postgresql://ada@srv:***@host"),
        ("postgresql://ada:my PW@host/db", "postgresql://ada:***@host/db"),
        (
            "postgresql+psycopg://ada:P%40W@[::1]:5432/db",
            "postgresql+psycopg://ada:***@[::1]:5432/db",
        ),
        ("postgresql://host/db?password=my PW", "postgresql://host/db?password=***"),
        (
            "postgresql://host/db?sslmode=require&PASSWORD=P+W",
            "postgresql://host/db?sslmode=require&PASSWORD=***",
        ),
        ("mysql://ada:a&b=PW?c@host/db", "mysql://ada:***@host/db"),
        ("postgresql://ada:PW", "postgresql://…"),
        ("postgresql://ada:PW/db", "postgresql://…"),
        ("postgresql://ada:PW@host:port/db", "postgresql://…"),
        ("postgresql://ada:P?W=1@host/db", "postgresql://…"),
        ("postgresql:ada:PW@host/db", "…"),
        ("ada:PW@host/db", "…"),
        ("password=PW", "…"),
        ("nonsense", "nonsense"),
        ("sqlite:////a b/c@d.db", "sqlite:////a b/c@d.db"),
        ("mysql://host/db?mail=a@b", "mysql://host/db?mail=a@b"),
        ("oracle://ada/PW@host:1521/db", "oracle://ada/***@host:1521/db"),
        ("oracle+oracledb://ada/P:W@PW/x@host", "oracle+oracledb://ada/***@host"),
        ("oracle://ada/P?W@host/?mode=2", "oracle://ada/***@host/?mode=2"),
        ("oracle://ada/PW@host/?mail=a@b", "oracle://…"),
        ("https://PW@host", "https://***@host"),
        ("HTTPS://PW@host:80/x@v1", "HTTPS://***@host:***@v1"),
        ("git+https://PW@host/x.git@v1", "git+https://***@host/x.git@v1"),
        ("https://PW@host/x?mail=a@b", "https://***@host/x?mail=a@b"),
        ("https://ada@srv:PW@host/x", "https://***@srv:***@host/x"),
        (f"https://{'PW' * 12}:x-oauth@host/x", "https://***:***@host/x"),
        (f"postgresql://{'PW' * 12}@host/db", "postgresql://***@host/db"),
        ("http://host/x#access_token=PW&y=1", "http://host/x#access_token=***&y=1"),
        ("http://host/#access_token=P@W", "http://host/#access_token=***"),
        ("http://host/x?y=1#id_token=PW", "http://host/x?y=***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada@srv:PW@host/db",
        "postgresql://ada:my PW@host/db",
        "postgresql://ada:my other PW@host:5432/db",
        "postgresql://ada:P W",
        "postgresql://ada:%50W PW@host",
        "postgresql://ada:a://PW@host/db",
        "postgresql://ada:x y://PW@host/db",
        "postgresql://ada:a@b PW://c@host/db",
        "postgresql://ada:://PW@host:5432/db",
        "postgresql://:http://ada:PW@host",
        "postgresql://ada://PW@host/db",
        "postgresql://ada@srv:x@y://PW z@host/db",
        "postgresql://ada/PW@host/db",
    ],
)
@pytest.mark.parametrize("text", ["{}", "no: {} refused", "('{}', 3)", "a\n{}\nb@c", "{} {}"])
def test_no_password_in_a_text_is_shown(url: str, text: str) -> None:
    shown = redact(text.replace("{}", url))
    assert "PW" not in shown
    assert "%50W" not in shown
    assert "postgresql://" in shown


def test_a_url_that_cannot_be_in_a_password_is_one_of_its_own() -> None:
    text = "copied sqlite:///a.db (see http://host/x) to postgresql://ada:PW@host/db, as before"
    assert redact(text) == text.replace("PW", "***")


PASSWORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map("~{}~".format)


@given(password=PASSWORDS, user=WORDS)
def test_whatever_a_password_is_made_of_nothing_of_it_is_shown(password: str, user: str) -> None:
    shown = redact_url(f"postgresql://{user}:{password}@host/db")
    assert shown in (f"postgresql://{user}:***@host/db", "postgresql://…")


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "x:",
        "://",
        "a://b:c",
        "a://b:c@",
        "a://b ",
        "a:///b@",
        "?pass",
        "pass=&",
        "@ ",
        "a://b/c@",
        "https://t@h/",
        "a://h#k=",
    ],
)
def test_the_time_to_redact_grows_with_the_length_alone(part: str) -> None:
    assert len(redact(part * 40_000)) <= 40_000 * (len(part) + 3)  # ends, where squares would not
