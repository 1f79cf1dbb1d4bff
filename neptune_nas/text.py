"""The formatting of numbers, plurals and durations; unsafe characters made visible; redaction."""

import json
import re
from unicodedata import category
from urllib.parse import unquote_plus

_SECRETS = ("pass", "pwd", "secret", "token", "credential", "auth", "key")
_SCHEME = frozenset("+-._")  # besides letters and digits
_ENDS = ":,;)]}'\""  # what a sentence adds to a URL
_TELLING = frozenset(":@=")  # what a URL with a secret has at least one of
_LOGIN = re.compile("[^:/]*:")  # after the scheme, a name that a password may follow
_SPACE = re.compile(r"\s")
_QUERY = re.compile("([?#])")  # before pairs: a query or a fragment
_WEB = ("http", "https", "git")  # ends of schemes: where a name without a password may be a token
_WITH_PATHS = (*_WEB, "ssh", "ftp", "file")  # where a path may have an "@"
_NAME = re.compile("[^/@]+(?=/)")  # before a password, as in Oracle's user/password@host
_LONG = re.compile(r"\A[^:/?#@\s]{20,}+(?=@)")  # a name so long may be a token anywhere
_TOKEN = re.compile(r"\A(?:[^:/?#@\s]++(?=@)|[^:/?#@\s]{20,}+(?=:[^@]*@))")

_UNUSUAL = re.compile(r"[^ -~]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # how Python decodes bytes that are not UTF-8
_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, format characters, surrogates, line breaks
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters and marks without any ink

_DIGITS = re.compile(r"\d{4,}")
_THOUSANDS = re.compile(r"(?<=\d)(?=(?:\d{3})+$)")  # the places of commas

_FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")  # beginnings that a spreadsheet computes

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def counted(count: int, noun: str, many: str = "") -> str:
    """Return a count with its noun; `many`: its plural, if not formed with s.

    >>> counted(1, "trial"), counted(0, "trial"), counted(1200, "study", "studies")
    ('1 trial', '0 trials', '1,200 studies')
    """
    return f"{count:,} {plural(count, noun, many)}"


def plural(count: int, noun: str, many: str = "") -> str:
    """Return the form of a noun after a count; `many`: its plural, if not formed with s.

    >>> plural(1, "seed"), plural(3, "seed")
    ('seed', 'seeds')
    """
    return noun if count == 1 else many or f"{noun}s"


def sentence(text: str) -> str:
    """Return a text with its first letter capitalized.

    >>> sentence("study 'a' is empty"), sentence("")
    ("Study 'a' is empty", '')
    """
    return text[:1].upper() + text[1:]


def as_typed(value: object) -> str:
    """Return a value as people type it, several of them separated by commas.

    >>> as_typed((5, 2)), as_typed(3), as_typed("gp")
    ('5,2', '3', "'gp'")
    """
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return repr(value) if isinstance(value, str) else str(value)


def with_commas(text: str) -> str:
    """Return a text with commas between the thousands of its whole numbers.

    >>> with_commas("11644764120000 (11644 to 999)")
    '11,644,764,120,000 (11,644 to 999)'
    """
    return _DIGITS.sub(lambda digits: _THOUSANDS.sub(",", digits[0]), text)


def short(number: float) -> str:
    """Return a count with three digits and its SI prefix.

    >>> short(1_234_567), short(980)
    ('1.23M', '980')
    """
    for size, unit in _UNITS:
        if abs(number) >= size * 0.9995:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def binary(size: float) -> str:
    """Return a size in bytes with up to four digits, in the units that devices are stated in.

    >>> binary(65_536), binary(1_500), binary(640)
    ('64 KiB', '1.465 KiB', '640 bytes')
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if abs(size) >= unit * 0.99995:
            return f"{size / unit:.4g} {name}"
    return f"{size:.4g} bytes"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units.

    >>> duration(3725), duration(42.4)
    ('1 h 2 min', '42 s')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def clock(seconds: float) -> str:
    """Return a duration in compact form.

    >>> clock(42), clock(150), clock(4000)
    ('42s', '2m30s', '1h06m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def visible(text: str, keep: str = "") -> str:
    r"""Return `text` with escapes for what a terminal obeys or hides, except characters in `keep`.

    That is: control characters with line breaks, bidirectional overrides, characters of no width,
    and the bytes of a file's name that are not UTF-8.

    >>> visible("a\x1b[31mb\nc")
    'a\\x1b[31mb\\nc'
    """

    def escape_unsafe(match: re.Match[str]) -> str:
        character = match[0]
        is_safe = category(character) not in _ACTING and character not in _BLANK
        return character if is_safe or character in keep else _escape(character)

    return _UNUSUAL.sub(escape_unsafe, text)


def json_visible(text: str) -> str:
    """Return a JSON text with JSON's escapes for what a terminal obeys or hides."""

    def escape_unsafe(match: re.Match[str]) -> str:
        is_safe = match[0] == "\n" or visible(match[0]) == match[0]
        return match[0] if is_safe else json.dumps(match[0])[1:-1]

    return _UNUSUAL.sub(escape_unsafe, text)


def csv_cell(value: object) -> object:
    """Return a value as a cell of CSV: a text is one line that no spreadsheet takes for a formula.

    Anything but text is unchanged. See https://owasp.org/www-community/attacks/CSV_Injection.

    >>> csv_cell("=1+1"), csv_cell(-1.5)
    ("'=1+1", -1.5)
    """
    if not isinstance(value, str):
        return value
    return ("'" if value.startswith(_FORMULA) else "") + visible(value)


def utf8_text(name: str) -> str:
    r"""Return the name of a file, with the bytes that are not UTF-8 as escapes.

    >>> print(utf8_text("caf\udce9"))
    caf\xe9
    """
    return _SURROGATE.sub(lambda match: _escape(match[0]), name)


def _escape(character: str) -> str:
    code = ord(character)
    is_byte = 0xDC80 <= code <= 0xDCFF  # as Python decodes what is not UTF-8
    return f"\\x{code - 0xDC00:02x}" if is_byte else ascii(character)[1:-1]


def redact(text: str) -> str:
    """Return `text` with the password of every URL in it masked, wherever it is in the URL.

    A URL ends at a blank; after `scheme://user:`, at the first one after the last "@" of its line,
    since a password may have blanks and URLs in it.

    >>> redact("cannot reach postgresql://ada:s3cret@host/db")
    'cannot reach postgresql://ada:***@host/db'
    >>> redact("postgresql://host/db?user=ada&password=s3cret")
    'postgresql://host/db?user=ada&password=***'
    """
    return "\n".join(map(_redact_line, text.split("\n")))


def _redact_line(line: str) -> str:
    parts: list[str] = []
    end, last = 0, line.rfind("@")
    while (mark := line.find("://", end)) >= 0:
        begin, stop = _scheme_before(line, mark, end), _end_of_url(line, mark + 3, last)
        parts += line[end:begin], redact_url(line[begin:stop])
        end = stop
    return "".join((*parts, line[end:]))


def _scheme_before(line: str, mark: int, least: int) -> int:
    """Return where the scheme begins that ends at `mark`."""
    while mark > least and (line[mark - 1].isalnum() or line[mark - 1] in _SCHEME):
        mark -= 1
    return mark


def _end_of_url(line: str, body: int, last: int) -> int:
    """Return where a URL ends whose scheme ends at `body`; `last`: the last "@" of its line."""
    login, stop, at = _LOGIN.match(line, body), len(line), last
    if login is None or login.end() > last:  # no password may have the next URL in it
        following = line.find("://", body)
        stop = stop if following < 0 else _scheme_before(line, following, body)
        at = line.rfind("@", body, stop)
        at = at if ":" in line[body : max(body, at)] else body
    blank = _SPACE.search(line, at, stop)
    url = line[body : blank.start() if blank else stop]
    # A sentence may continue there, but a password in a query may end with such marks.
    return body + len(url if _QUERY.search(url) else url.rstrip(_ENDS))


def redact_url(url: str) -> str:
    """Return a URL with its passwords and tokens masked; of other text, at most a scheme is shown.

    >>> redact_url("postgresql://ada@srv:my pass@host/db"), redact_url("mysql://ada:s3cret")
    ('postgresql://ada@srv:***@host/db', 'mysql://…')
    >>> redact_url("oracle://ada/s3cret@host"), redact_url("https://s3cret@host/a@b")
    ('oracle://ada/***@host', 'https://***@host/a@b')
    """
    scheme, mark, body = url.partition("://") if "://" in url else ("", "", url)
    if _TELLING.isdisjoint(body):
        return url
    kind = scheme.casefold()
    body = (_TOKEN if kind.endswith(_WEB) else _LONG).sub("***", body)
    login, at, place = body.rpartition("@")
    user, sign, _ = login.partition(":")
    if not kind.endswith(_WITH_PATHS) and (name := _NAME.match(user)):
        user, sign = name[0], "/"
    before, *pairs = _QUERY.split(login, maxsplit=1)
    if pairs and "=" in pairs[1]:  # an "@" in the query, or in a password before it
        if ":" in login or (sign and "@" in before):
            return f"{scheme}{mark}…"
        user, sign, login, at, place = "", "", "", "", body
    place, *rest = _QUERY.split(place, maxsplit=1)
    question, query = rest or ("", "")
    if not mark or not _is_url(f"{scheme}://{login.replace('@', '%40')}{at}{place}"):
        return f"{scheme}{mark}…"
    return f"{scheme}://{user}{sign and f'{sign}***'}{at}{place}{question}{_redact_query(query)}"


def _is_url(text: str) -> bool:
    from sqlalchemy.engine.url import make_url  # slow to import, and seldom needed

    try:
        make_url(text)
    except Exception:  # whatever it is, it is not a URL
        return False
    return True


def _redact_query(query: str) -> str:
    pairs: list[str] = []
    for pair in query.split("&"):
        is_rest = "=" not in pair and pairs and pairs[-1].endswith("=***")  # password with an "&"
        if not is_rest:
            pairs.append(_redact_pair(pair))
    return "&".join(pairs)


def _redact_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}=***" if equals and value and is_secret(pair) else pair


def is_secret(pair: str) -> bool:
    """Return whether a pair of a URL's query sets a password; its value may have pairs in it."""
    *names, _ = unquote_plus(pair).casefold().split("=")
    return any(word in name for name in names for word in _SECRETS)
