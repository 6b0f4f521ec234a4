"""Database URLs: every password, libpq's parameters, and what is refused by name."""

from pathlib import Path

import pytest

from storage.address import Host, parse_address
from storage.errors import DatabaseSettingsError


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("secret", "secret"),
        ("p%40ss", "p@ss"),
        ("p%2Fss%3A%3F%23%25", "p/ss:?#%"),
        ("p@ss", "p@ss"),
        ("p/ss", "p/ss"),
        ("p@/w", "p@/w"),
        ("p:ss", "p:ss"),
        ("p?ss", "p?ss"),
        ("p#ss", "p#ss"),
        ("12/34", "12/34"),
        ("p%ss", "p%ss"),
        ("100%", "100%"),
        ("p+s s&=", "p+s s&="),
        ("pä%C3%A4ß漢", "pääß漢"),
        ("[x]", "[x]"),
        ("a,b", "a,b"),
        ("\\$\"'`{}|^~", "\\$\"'`{}|^~"),
    ],
)
@pytest.mark.parametrize("rest", ["db.example:6432/hub", "db.example:6432/hub?application_name=a@b/c"])
def test_a_password_may_hold_any_character(written: str, meant: str, rest: str) -> None:
    address = parse_address(f"postgresql://ann:{written}@{rest}")

    assert ("ann", meant, "hub") == (address.user, address.password, address.database)
    assert (Host("db.example", 6432),) == address.hosts


def test_a_user_may_have_an_at_sign() -> None:
    address = parse_address("postgresql://ann%40server:pw@db.example/hub")

    assert ("ann@server", "pw") == (address.user, address.password)


def test_credentials_may_stand_in_the_query() -> None:
    address = parse_address("postgresql:///hub?host=/run/pg&user=a@b&password=p%26w+x")

    assert ((Host("/run/pg", 5432),), "a@b", "p&w+x", "hub") == (
        address.hosts,
        address.user,
        address.password,
        address.database,
    )


@pytest.mark.parametrize(
    ("where", "hosts"),
    [
        ("", ()),
        ("db", (("db", 5432),)),
        ("[::1]:6432", (("::1", 6432),)),
        ("one:1,two,three:3", (("one", 1), ("two", 5432), ("three", 3))),
        ("%2Frun%2Fpostgresql", (("/run/postgresql", 5432),)),
        ("/hub?host=one,two&port=1,2", (("one", 1), ("two", 2))),
        ("/hub?host=one,two&port=7", (("one", 7), ("two", 7))),
        ("/hub?port=7", (("localhost", 7),)),
    ],
)
def test_hosts_and_ports(where: str, hosts: tuple[tuple[str, int], ...]) -> None:
    assert hosts == parse_address(f"postgresql://{where}").hosts


def test_the_driver_gets_its_parameters_the_server_its_settings_and_the_rest_is_ours() -> None:
    address = parse_address(
        "postgres://db/hub?sslmode=verify-full&sslrootcert=/etc/ca.pem&connect_timeout=3&target_session_attrs=primary"
        "&search_path=telemetry,public&options=-c%20work_mem%3D8MB&application_name=mine&channel_binding=prefer"
        "&fallback_application_name=x"
    )

    assert {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"} == address.driver
    assert (3.0, "primary") == (address.connect_timeout_s, address.target)
    expected = {"search_path": "telemetry,public", "options": "-c work_mem=8MB", "application_name": "mine"}
    assert expected == address.server_settings


def test_the_systems_certificates_mean_that_the_name_is_verified() -> None:
    address = parse_address("postgresql://db/hub?sslrootcert=system")

    context = address.tls()
    assert context is not None
    assert context.check_hostname
    assert "system" not in address.dsn


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sslmode=requird", "sslmode must be one of disable, allow"),
        ("target_session_attrs=master", "target_session_attrs must be one of any"),
        ("sslnegotiation=x", "sslnegotiation must be one of"),
        ("channel_binding=require", "channel_binding is not supported .* prefer or disable"),
        ("hostaddr=127.0.0.1", "hostaddr is not supported .* leave it out"),
        ("require_auth=scram-sha-256", "require_auth is not supported"),
        ("gssencmode=require", "gssencmode is not supported"),
        ("connect_timeout=soon", "connect_timeout is a number of seconds"),
        ("port=0", "a port is a number from 1 to 65535"),
        ("host=a,b&port=1,2,3", "2 hosts and 3 ports"),
        ("sslrootcert=system&sslmode=require", "needs sslmode=verify-full"),
        ("password=%FF", "percent-encoding of password is not UTF-8"),
        ("service=absent", "no service 'absent' in "),
    ],
)
def test_what_would_not_do_as_it_says_is_refused_by_name(query: str, named: str) -> None:
    with pytest.raises(DatabaseSettingsError, match=named):
        parse_address(f"postgresql:///hub?{query}")


@pytest.mark.parametrize(
    "url", ["embeded", "", "mysql://db/hub", "postgresql://db:port/hub", "postgresql://db:99999/hub"]
)
def test_what_is_no_address_of_postgres_is_refused(url: str) -> None:
    with pytest.raises(DatabaseSettingsError, match=r"storage\.database_url"):
        parse_address(url)


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@db:x/hub", "postgresql://u:hunter2@db/hub?sslmode=x"])
def test_a_password_is_not_repeated(url: str) -> None:
    with pytest.raises(DatabaseSettingsError) as error:
        parse_address(url)

    assert "hunter2" not in str(error.value)


def test_nor_is_it_in_what_is_logged_of_an_address() -> None:
    assert "hunter2" not in repr(parse_address("postgresql://u:hunter2@db/hub"))


def test_a_service_is_looked_up_and_the_url_goes_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "services.conf"
    file.write_text(
        "# ours\n[plant]\nhost=db.example\nport=6432\ndbname=hub\nuser=ann\npassword=p%w\nconnect_timeout=4\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))

    address = parse_address("postgresql://bob@/?service=plant")

    assert ((Host("db.example", 6432),), "bob", "p%w", "hub", 4.0) == (
        address.hosts,
        address.user,
        address.password,
        address.database,
        address.connect_timeout_s,
    )
