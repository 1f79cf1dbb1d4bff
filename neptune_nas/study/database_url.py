"""The URLs of databases: their parts, as SQLAlchemy sees them, and which has a study's trials."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine.url import URL, make_url

from neptune_nas.errors import NeptuneError, StudyError
from neptune_nas.study.folder import Folder
from neptune_nas.text import is_secret, redact, redact_url

_PSYCOPG = "postgresql+psycopg"
_POSTGRES = ("postgresql", "postgres")  # releases of SQLAlchemy differ in the driver they take


def parsed_url(url: str) -> URL:
    """Return the parts of a URL; raises `StudyError` where they are not clear."""
    try:
        parts = make_url(url)
    except Exception:  # its message may have the password
        parts = None
    if parts is None or "@" in (parts.host or ""):
        raise StudyError(
            f"storage {redact_url(url)} cannot be opened: it must be a URL such as "
            f"sqlite:////PATH/FILE.db or postgresql+psycopg://USER:PASSWORD@HOST/NAME, with any "
            f"@, : or / in the password written as %40, %3A or %2F."
        )
    return parts


def with_driver(url: str) -> str:
    """Return a URL that names psycopg 3 where it names PostgreSQL without a driver.

    >>> with_driver("postgresql://ada@server/studies")
    'postgresql+psycopg://ada@server/studies'
    """
    scheme, colon, rest = url.partition(":")
    return f"{_PSYCOPG}:{rest}" if colon and scheme in _POSTGRES else url


def is_sqlite(url: str) -> bool:
    """Return whether a URL is of SQLite, with whatever driver."""
    return parsed_url(url).get_backend_name() == "sqlite"


def file_at(url: str) -> Path | None:
    """Return the file of an SQLite URL; None for a database in memory."""
    parts = parsed_url(url)
    name = parts.database or ""
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    in_memory = name in ("", ":memory:") or parts.query.get("mode") == "memory"
    return None if in_memory else Path(name)


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file; raises `StudyError` for a path that a URL cannot hold."""
    file = os.path.realpath(path)
    if "?" in file:
        raise StudyError(f"study folder {path.parent} must not have a ? in its path: rename it.")
    return URL.create("sqlite", database=file).render_as_string(hide_password=False)


def is_same_database(one: str, other: str) -> bool:
    """Return whether two URLs are equal but for their passwords."""
    return _without_secrets(one) == _without_secrets(other)


def _without_secrets(url: str) -> URL:
    parts = parsed_url(with_driver(url))
    plain = [name for name in parts.query if name != "user" and not is_secret(f"{name}=")]
    user = parts.query.get("user")  # drivers prefer it to the name before the @
    driver = "sqlite" if is_sqlite(url) else parts.drivername
    return URL.create(
        driver,
        user if isinstance(user, str) else parts.username,
        host=parts.host,
        port=parts.port,
        database=parts.database,
        query={name: parts.query[name] for name in plain},
    )


def trials_url(folder: Folder, stored_url: str, url: str | None) -> str:
    """Return the URL of a study's trials: the user's `url`, else the one in its settings.

    `stored_url`: the storage in its settings, empty for `study.db` in its folder. Raises
    `StudyError` where that is a server: a study may come from anyone, and connecting may tell a
    password.
    """
    if url:
        return url
    if stored_url and not is_sqlite(stored_url):
        raise StudyError(
            f"study {folder.path} has its trials in {redact_url(stored_url)}: set NEPTUNE_STORAGE "
            f"to that URL, with its password if it has one, or pass it as `storage` (--storage)."
        )
    return stored_url or sqlite_url(folder.database)


@contextmanager
def database_errors(url: str) -> Iterator[None]:
    """Turn any error of a database driver into a one-sentence `StudyError`."""
    try:
        yield
    except NeptuneError:
        raise
    except ImportError as error:
        raise StudyError(_lacks_driver(url)) from error
    except Exception as error:
        raise StudyError(
            f"storage {redact_url(url)} cannot be opened: {_reason(error, url)}"
        ) from error


def _lacks_driver(url: str) -> str:
    driver = parsed_url(with_driver(url)).drivername
    remedy = "install it" if driver != _PSYCOPG else "pip install 'neptune-nas[postgres]'"
    return f"storage {redact_url(url)} needs the driver {driver}, which is not installed: {remedy}."


def _reason(error: Exception, url: str) -> str:
    """Return the first line of an error, or its kind if a password of the URL is in that line."""
    line = str(error).partition("\n")[0]
    parts = parsed_url(url)
    secrets = [parts.password, *(v for name, v in parts.query.items() if is_secret(f"{name}="))]
    has_secret = any(secret and str(secret) in line for secret in secrets)
    if "storage upgrade" in line:
        return (
            f"an older Optuna wrote it. Back it up, then run `optuna storage upgrade "
            f"--storage {quote(redact_url(url))}`, or use another `storage`."
        )
    is_damaged = is_sqlite(url) and ("malformed" in line or "not a database" in line)
    remedy = ": restore a copy of it, or use another `storage`." if is_damaged else ""
    return type(error).__name__ if has_secret else redact(line) + remedy
