"""What a database URL says: libpq's form, parsed once, with a sentence for everything that would not do as it says.

The driver takes parameters that it does not know for settings of the server, and forgets others. So each of libpq's
names is sorted here: handed to the driver, done by us, or refused by name; what remains is a setting of the server
(`search_path`), which the server checks.

Passwords may hold any character. Percent-encoding is understood; a bare `@`, `/`, `?` or `#` in one is, too, as long as
only one reading of the URL makes sense.
"""

import configparser
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlencode

from storage.errors import DatabaseSettingsError

SCHEMES: Final = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
DEFAULT_PORT: Final = 5432
DRIVER: Final = frozenset(
    "sslmode sslnegotiation sslcert sslkey sslrootcert sslcrl sslpassword ssl_min_protocol_version"  # noqa: SIM905
    " ssl_max_protocol_version krbsrvname gsslib".split()
)
"""Handed to the driver as they are."""
FILES: Final = frozenset({"sslcert", "sslkey", "sslrootcert", "sslcrl"})
CHOICES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
        "sslnegotiation": ("postgres", "direct"),
        "target_session_attrs": ("any", "primary", "read-write", "prefer-standby", "standby", "read-only"),
    }
)
ONLY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "channel_binding": ("prefer", "disable"),
        "client_encoding": ("utf8", "utf-8", "UTF8", "UTF-8", "auto"),
        "gssencmode": ("disable", "prefer"),
        "keepalives": ("1",),
        "load_balance_hosts": ("disable",),
        "replication": ("false", "off", "no", "0"),
        "requiressl": ("0",),
        "sslcertmode": ("allow",),
        "sslcompression": ("0",),
        "sslsni": ("1",),
        **dict.fromkeys(
            "gssdelegation hostaddr keepalives_count keepalives_idle keepalives_interval max_protocol_version"  # noqa: SIM905
            " min_protocol_version oauth_client_id oauth_client_secret oauth_issuer oauth_scope require_auth requirepeer"
            " scram_client_key scram_server_key sslcrldir sslkeylogfile tcp_user_timeout".split(),
            (),
        ),
    }
)
"""libpq's parameters that the driver lacks, with the values that ask for nothing but what it does anyway."""
OURS: Final = frozenset({"fallback_application_name"})
"""Without effect, because the hub always names itself."""

_HOST = r"(?:\[[^\]@/?#]*\]|[^@/?#:,\[\]]*)(?::[0-9]*)?"
_TAIL = rf"(?P<hosts>{_HOST}(?:,{_HOST})*)(?:/(?P<database>[^@?#]*))?(?:\?(?P<query>(?:[\w.]+=[^&]*(?:&|$))*))?"
_PLAIN = re.compile(rf"(?:(?P<user>[^/?#]*)@)?{_TAIL}", re.DOTALL)
_BARE = re.compile(rf"(?P<user>.*?)@{_TAIL}", re.DOTALL)
"""For a password with bare `/`, `?` or `#`."""
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:]*))(?::(?P<port>[0-9]*))?")


class Host(NamedTuple):
    """A name, an address, or the directory of a Unix socket."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is and how to get in; the password is kept out of its repr."""

    hosts: tuple[Host, ...]
    user: str | None
    password: str | None
    database: str | None
    driver: Mapping[str, str]
    server_settings: Mapping[str, str]
    connect_timeout_s: float | None
    target: str
    passfile: str | None

    def __repr__(self) -> str:
        return f"Address({self.hosts!r}, user={self.user!r}, database={self.database!r})"

    @property
    def dsn(self) -> str:
        """The driver's parameters in the form that it takes them in."""
        given = {name: value for name, value in self.driver.items() if value != "system"}
        return f"postgresql:///?{urlencode(given, quote_via=quote)}" if given else "postgresql://"

    def check_files(self, host: Host | None) -> None:
        """Raise OSError with the name of a file that is not there or may not be read: the driver leaves it out."""
        for name in FILES & self.driver.keys():
            if self.driver[name] != "system":
                Path(self.driver[name]).open("rb").close()
        if host is not None and host.name.startswith("/"):
            (Path(host.name) / f".s.PGSQL.{host.port}").stat()

    def tls(self) -> ssl.SSLContext | None:
        """Return a context of our own for `sslrootcert=system`, which the driver takes for a file."""
        if self.driver.get("sslrootcert") != "system":
            return None
        context = ssl.create_default_context()
        if "sslcert" in self.driver:
            context.load_cert_chain(
                self.driver["sslcert"], self.driver.get("sslkey"), lambda: self.driver.get("sslpassword", "")
            )
        return context


def parse_address(url: str) -> Address:
    """Parse a database URL; raises DatabaseSettingsError, which never repeats the URL."""
    given = _split(url)
    # A service is a section of a file of the operator's, where libpq's other programs find it too; the URL goes before it.
    service = given.pop("service", None) or os.environ.get("PGSERVICE")
    given = (_service(service) if service else {}) | given
    for name, allowed in CHOICES.items():
        if given.get(name, allowed[0]) not in allowed:
            raise DatabaseSettingsError(f"{name} must be one of {', '.join(allowed)}, not {given[name]!r}")
    for name, allowed in ONLY.items():
        if name in given and given[name] not in allowed:
            instead = f" it may only be {' or '.join(allowed)}" if allowed else " leave it out"
            raise DatabaseSettingsError(f"{name} is not supported by the hub's driver with this value;{instead}")
    if given.get("sslrootcert") == "system" and given.setdefault("sslmode", "verify-full") != "verify-full":
        raise DatabaseSettingsError("sslrootcert=system needs sslmode=verify-full")
    return Address(
        hosts=_hosts(given.pop("host", ""), given.pop("port", "")),
        user=given.pop("user", None),
        password=given.pop("password", None),
        database=given.pop("dbname", None),
        connect_timeout_s=_timeout_s(given.pop("connect_timeout", "0")),
        target=given.pop("target_session_attrs", "any"),
        passfile=given.pop("passfile", None),
        driver={name: given.pop(name) for name in sorted(DRIVER & given.keys())},
        server_settings={name: value for name, value in given.items() if name not in ONLY.keys() | OURS},
    )


def _split(url: str) -> dict[str, str]:
    """Return a URL as libpq's parameters, decoded; several hosts and ports are lists with commas."""
    scheme, found, rest = url.strip().partition("://")
    if not found:
        raise DatabaseSettingsError("this is not a URL")
    if scheme not in SCHEMES:
        raise DatabaseSettingsError(f"the scheme {scheme!r} is not supported")
    parts = _PLAIN.fullmatch(rest) or _BARE.fullmatch(rest)
    if parts is None:
        raise DatabaseSettingsError(
            "this is not a URL; in a user name or password write @ as %40, / as %2F, : as %3A, ? as %3F, # as %23 and"
            " % as %25, or put the password into a file (storage.password_file)"
        )
    given: dict[str, str] = {}
    for field in filter(None, (parts["query"] or "").split("&")):
        name, _, value = field.partition("=")
        given["dbname" if name == "database" else name] = _decoded(value, name)
    user, _, password = (parts["user"] or "").partition(":")
    hosts = [_HOST_PORT.fullmatch(text) for text in parts["hosts"].split(",")]
    in_place = {
        "user": _decoded(user, "the user name"),
        "password": _decoded(password, "the password"),
        "dbname": _decoded(parts["database"] or "", "the name of the database"),
        "host": ",".join(_decoded(host["v6"] or host["name"] or "", "host") for host in hosts if host),
        "port": ",".join(host["port"] or "" for host in hosts if host),
    }
    return given | {name: value for name, value in in_place.items() if value.strip(",")}


def _decoded(text: str, what: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise DatabaseSettingsError(f"the percent-encoding of {what} is not UTF-8") from None


def _hosts(names: str, ports: str) -> tuple[Host, ...]:
    """Pair hosts and ports as libpq does: one port for all, or one for each; empty means the usual one."""
    if not names and not ports:
        return ()
    hosts, numbers = names.split(","), ports.split(",")
    if len(numbers) == 1:
        numbers *= len(hosts)
    if len(numbers) != len(hosts):
        raise DatabaseSettingsError(f"there are {len(hosts)} hosts and {len(numbers)} ports")
    for number in numbers:
        if number and not (number.isascii() and number.isdigit() and 0 < int(number) < 1 << 16):
            raise DatabaseSettingsError("a port is a number from 1 to 65535")
    return tuple(
        Host(host or "localhost", int(number or DEFAULT_PORT)) for host, number in zip(hosts, numbers, strict=True)
    )


def _timeout_s(text: str) -> float | None:
    if not (text.isascii() and text.isdigit()):
        raise DatabaseSettingsError("connect_timeout is a number of seconds")
    return float(text) or None


def _service(name: str) -> dict[str, str]:
    """Return a section of the operator's service file, as libpq finds it."""
    own = os.environ.get("PGSERVICEFILE")
    shared = Path(os.environ.get("PGSYSCONFDIR", "/etc/postgresql-common")) / "pg_service.conf"
    files = [Path(own) if own else Path("~/.pg_service.conf").expanduser(), shared]
    services = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    try:
        services.read(reversed(files), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise DatabaseSettingsError(f"the service file cannot be read: {type(error).__name__}") from None
    if name not in services:
        raise DatabaseSettingsError(f"there is no service {name!r} in {' or '.join(map(str, files))}")
    return dict(services[name])
