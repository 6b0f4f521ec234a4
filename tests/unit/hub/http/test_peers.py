"""Who is on the other end, with and without proxies."""

import pytest
from tornado.httputil import HTTPHeaders

from hub.http.peers import Peer, TrustedProxies, is_loopback, parse_address, parse_network

ALL_SIGNS = [
    ("Forwarded", "for=203.0.113.7"),
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("x-forwarded-for", ""),
    ("X-Forwarded-Host", "dash.example"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-Server", "proxy"),
    ("X-Real-IP", "203.0.113.7"),
    ("Via", "1.1 proxy"),
    ("X-Client-IP", "203.0.113.7"),
    ("True-Client-IP", "203.0.113.7"),
    ("CF-Connecting-IP", "203.0.113.7"),
]


def test_a_socket_of_this_machine_is_local() -> None:
    assert Peer("127.0.0.1", loopback=True) == TrustedProxies().client("127.0.0.1", HTTPHeaders({"Host": "hub"}))
    assert Peer("192.0.2.1", loopback=False) == TrustedProxies().client("192.0.2.1", HTTPHeaders())


@pytest.mark.parametrize(("name", "value"), ALL_SIGNS)
def test_whoever_forwards_is_not_local(name: str, value: str) -> None:
    """A proxy on the hub's own machine let everybody in who came through it."""
    assert not TrustedProxies().client("127.0.0.1", HTTPHeaders({name: value})).loopback


def test_without_trust_the_address_is_the_sockets() -> None:
    headers = HTTPHeaders({"X-Forwarded-For": "10.0.0.1"})
    assert "198.51.100.1" == TrustedProxies(["127.0.0.1"]).client("198.51.100.1", headers).address


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1, 203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("203.0.113.7, 10.1.1.1, 10.2.2.2", "203.0.113.7"),
        ("10.1.1.1", "10.1.1.1"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("127.0.0.1, unknown", "127.0.0.1"),
        ("127.0.0.1, ", "127.0.0.1"),
        ("rubbish", "127.0.0.1"),
    ],
)
def test_behind_trusted_proxies_the_client_is_the_last_hop_that_is_none(forwarded_for: str, client: str) -> None:
    """What stands before it the client may have written."""
    proxies = TrustedProxies(["127.0.0.1", "10.0.0.0/8"])
    assert Peer(client, loopback=False) == proxies.client("127.0.0.1", HTTPHeaders({"X-Forwarded-For": forwarded_for}))


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("for=203.0.113.7;proto=https;by=10.1.1.1", "203.0.113.7"),
        ('For="[2001:db8::7]:4711"', "2001:db8::7"),
        ("for=127.0.0.1, for=203.0.113.7;host=dash.example, for=10.1.1.1", "203.0.113.7"),
        ("for=127.0.0.1, for=_hidden", "127.0.0.1"),
        ("for=127.0.0.1, for=unknown", "127.0.0.1"),
        ("proto=https", "127.0.0.1"),
    ],
)
def test_the_standard_header_is_read_too(forwarded: str, client: str) -> None:
    """RFC 7239."""
    proxies = TrustedProxies(["127.0.0.1", "10.0.0.0/8"])
    assert Peer(client, loopback=False) == proxies.client("127.0.0.1", HTTPHeaders({"Forwarded": forwarded}))


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": 'for="[::1]"'}])
def test_a_trusted_proxy_may_say_that_its_client_is_on_this_machine(headers: dict[str, str]) -> None:
    assert TrustedProxies(["127.0.0.1"]).client("127.0.0.1", HTTPHeaders(headers)).loopback


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "203.0.113.7"},
        {"X-Forwarded-For": "203.0.113.7, 127.0.0.1"},
        {"X-Forwarded-For": "127.0.0.1", "CF-Connecting-IP": "203.0.113.7"},
    ],
)
def test_a_header_that_the_client_wrote_does_not_make_it_local(headers: dict[str, str]) -> None:
    """A proxy that sets X-Real-IP alone passes on the client's own X-Forwarded-For."""
    assert not TrustedProxies(["127.0.0.1"]).client("127.0.0.1", HTTPHeaders(headers)).loopback


def test_repeated_headers_are_one_list() -> None:
    headers = HTTPHeaders()
    headers.add("X-Forwarded-For", "127.0.0.1")
    headers.add("X-Forwarded-For", "203.0.113.7")
    assert "203.0.113.7" == TrustedProxies(["127.0.0.1"]).client("127.0.0.1", headers).address


def test_the_name_of_the_hub_is_forwarded_by_trusted_proxies_only() -> None:
    headers = HTTPHeaders({"Host": "127.0.0.1:8080", "X-Forwarded-Host": "evil.example, dash.example"})
    assert "dash.example" == TrustedProxies(["127.0.0.1"]).host("127.0.0.1", headers)
    assert "127.0.0.1:8080" == TrustedProxies().host("127.0.0.1", headers)
    assert "h" == TrustedProxies(["127.0.0.1"]).host("127.0.0.1", HTTPHeaders({"Host": "h"}))


@pytest.mark.parametrize(
    ("address", "local"),
    [("", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("192.0.2.1", False),
     ("fe80::1%eth0", False), ("::ffff:192.0.2.1", False), ("localhost.example", False)],
)  # fmt: skip
def test_what_is_this_machines_own_address(address: str, local: bool) -> None:
    assert local is is_loopback(address)


@pytest.mark.parametrize("text", ["", "hub.example", "10.0.0.0/40", "1.2.3", "10.0.0.1-10.0.0.9"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|not permitted|Expected"):
        parse_network(text)
    assert parse_address("unknown") is None
