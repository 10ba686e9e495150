"""Names of private networks, told by how they look."""

import ipaddress

_PRIVATE_ENDINGS = (".local", ".lan", ".internal", ".intranet", ".home", ".corp", ".home.arpa")
HERE = "localhost"  # every client takes it for what it is


def is_private_name(host: str) -> bool:
    """Whether `host` is a name that leads into a private network. An address in figures is no name."""
    name = host.rstrip(".").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name != HERE and ("." not in name or name.endswith(_PRIVATE_ENDINGS))
    return False
