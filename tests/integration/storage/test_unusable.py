"""A database that cannot be used: what is said, by real servers that refuse in their own words."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog

from storage.reading import Reading
from storage.settings import StorageSettings
from storage.store import Store
from tests.support.ports import free_port
from tests.support.proxy import FaultProxy
from tests.support.strict_postgres import PASSWORD, StrictPostgres
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StrictPostgres]:
    server = StrictPostgres(tmp_path_factory.mktemp("strict"))
    asyncio.run(server.__aenter__())
    yield server
    asyncio.run(server.__aexit__())


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.fixture
async def stranger() -> AsyncIterator[int]:
    """The port of a server that speaks HTTP."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("user", "database", "query", "problem", "remedy"),
    [
        ("hub:wrong", "hub", "", "password authentication failed", "Set the right user and password"),
        ("hub", "nowhere", "", 'database "nowhere" does not exist', "Create the database"),
        ("hub", "forbidden", "", "permission denied for database", "GRANT CONNECT"),
        ("hub", "closed", "", "not currently accepting connections", "ALLOW_CONNECTIONS"),
        ("nologin", "hub", "", "not permitted to log in", "LOGIN"),
        ("absent", "hub", "", 'role "absent" does not exist', "Create the role"),
        ("banned", "hub", "", "pg_hba.conf rejects", "pg_hba.conf"),
        ("stranger", "hub", "", "no pg_hba.conf entry", "pg_hba.conf"),
        ("tls_only", "hub", "sslmode=disable", "no encryption", "sslmode"),
        ("by_cert", "hub", "sslmode=require", "certificate", "sslcert"),
        ("hub", "hub", "sslmode=verify-full&sslrootcert=/absent.pem", "absent.pem", "certificates"),
        ("hub", "hub", "sslrootcert=system", "certificate verify failed", "sslrootcert"),
        ("hub", "hub", "foo=bar", 'parameter "foo"', "Take this parameter out"),
        ("hub", "hub", "work_mem=much", 'parameter "work_mem"', "Correct or leave out"),
        ("hub", "hub", "search_path=nowhere", "no schema has been selected", "Create the schema"),
        ("few", "hub", "", "too many connections for role", "raise the limit"),
        ("small", "hub", "", "permission denied for", "telemetry-hub migrate"),
        ("hub", "hub", "host=/nowhere", "/nowhere/.s.PGSQL.5432", "socket"),
        ("hub", "hub", "host=nowhere.invalid", "gaierror", "Correct the host"),
    ],
)
async def test_the_reason_and_the_remedy_are_told_at_once_and_only_once(
    strict: StrictPostgres,
    password: Path,
    tmp_path: Path,
    user: str,
    database: str,
    query: str,
    problem: str,
    remedy: str,
) -> None:
    url = strict.url(user, database, query)
    if query.startswith("host="):
        url = f"postgresql://{user}@/{database}?{query}"
    await strict.execute("ALTER ROLE few CONNECTION LIMIT 0")
    file = None if ":" in user else password
    with structlog.testing.capture_logs() as logs:
        store = Store(StorageSettings(database_url=url, password_file=file), tmp_path / "hub")
        await store.start()
        await store.tried(20)
        detail = str(store.health()["detail"])
        await asyncio.wait_for(store.write([Reading("d", "m", 1_700_000_000_000_000, 1.0)]), 5)  # into the spool
        await store.close()

    assert problem in detail
    assert remedy in detail
    assert PASSWORD not in detail
    told = [line for line in logs if line["event"] == "database_away"]
    assert 1 == len(told)
    assert problem in told[0]["problem"]
    assert remedy in told[0]["remedy"]


@pytest.mark.parametrize("mode", ["prefer", "disable", "require"])
async def test_a_port_where_something_else_listens_is_named(stranger: int, tmp_path: Path, mode: str) -> None:
    store = Store(
        StorageSettings(database_url=f"postgresql://hub@127.0.0.1:{stranger}/hub?sslmode={mode}"), tmp_path / "hub"
    )
    await store.start()

    problem = await store.tried(20)

    assert problem is not None
    assert "Postgres that" in problem
    await store.close()


async def test_a_server_that_does_not_listen_is_named_and_taken_when_it_does(
    strict: StrictPostgres, password: Path, tmp_path: Path
) -> None:
    """An idle hub becomes ready by itself: nobody has to write first."""
    proxy = FaultProxy(strict.port)
    proxy.port = free_port()
    settings = StorageSettings(database_url=strict.url(port=proxy.port), password_file=password)
    store = Store(settings, tmp_path / "hub")
    await store.start()
    assert "Start the server" in str(await store.tried(20))

    await proxy.start()
    await wait_until(lambda: store.health()["ok"], 10)

    await store.close()
    await proxy.refuse()


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=disable",
        "sslmode=require",
        "sslmode=verify-full&sslrootcert={ca}",
        "sslmode=verify-ca&sslrootcert={ca}&sslcert={cert}&sslkey={key}&ssl_min_protocol_version=TLSv1.2",
        "connect_timeout=3&application_name=mine&target_session_attrs=primary&channel_binding=prefer",
        "options=-c%20work_mem%3D8MB&search_path=public&gssencmode=disable",
        "target_session_attrs=read-write",
        "target_session_attrs=prefer-standby",
    ],
)
@pytest.mark.parametrize("given", ["url", "file", "query", "passfile", "service"])
async def test_libpqs_parameters_and_every_way_to_give_a_password_work(
    strict: StrictPostgres,
    password: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    query: str,
) -> None:
    names = {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"}
    query = query.format(**{name: strict.certificates[file] for name, file in names.items()})
    url = strict.url(query=query)
    if given == "url":
        url = url.replace("hub@", f"hub:{quote(PASSWORD, safe='')}@", 1)
    elif given == "query":
        url += f"&password={quote(PASSWORD, safe='')}"
    elif given == "passfile":
        escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
        (tmp_path / "pgpass").write_text(f"127.0.0.1:*:hub:hub:{escaped}\n", encoding="utf-8")
        (tmp_path / "pgpass").chmod(0o600)
        url += f"&passfile={tmp_path / 'pgpass'}"
    elif given == "service":
        text = f"[plant]\nhost=127.0.0.1\nport={strict.port}\ndbname=hub\nuser=hub\npassword={PASSWORD}\n"
        (tmp_path / "services").write_text(text, encoding="utf-8")
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
        url = f"postgresql://?service=plant&{query}"
    store = Store(
        StorageSettings(database_url=url, password_file=password if given == "file" else None), tmp_path / "hub"
    )
    await store.start()

    assert await store.tried(10) is None

    await store.close()


async def test_of_several_hosts_one_that_answers_is_taken_though_the_first_is_a_black_hole(
    strict: StrictPostgres, password: Path, tmp_path: Path
) -> None:
    hole = FaultProxy(strict.port)
    await hole.start()
    hole.black_hole()
    url = f"postgresql://hub@127.0.0.1:{hole.port},127.0.0.1:1,127.0.0.1:{strict.port}/hub?connect_timeout=1"
    store = Store(StorageSettings(database_url=url, password_file=password), tmp_path / "hub")
    await store.start()

    assert await store.tried(20) is None

    await store.close()
    await hole.refuse()
