"""Who is on the other end of a socket."""

import ipaddress


def is_loopback(address: str) -> bool:
    """Whether a socket's peer address is this machine's own; a Unix socket's empty address is."""
    if not address:
        return True
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
