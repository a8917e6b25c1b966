"""Where the store is: the URL of one server, of the Sentinels that know the primary, or of a Cluster."""

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError

Place = tuple[str, int]
"""Host and port of a server; ("", 0) is the one that the options name."""

EXAMPLES = {
    "one": "redis://user:password@host:6379/0",
    "sentinel": "redis+sentinel://user:password@host:26379,host:26379/SERVICE",
    "cluster": "redis+cluster://user:password@host:6379,host:6379",
}
SCHEMES: dict[str, tuple[Literal["one", "sentinel", "cluster"], str, int]] = {
    "redis": ("one", "redis", 6379),
    "rediss": ("one", "rediss", 6379),
    "unix": ("one", "unix", 0),
    "redis+sentinel": ("sentinel", "redis", 26379),
    "rediss+sentinel": ("sentinel", "rediss", 26379),
    "redis+cluster": ("cluster", "redis", 6379),
    "rediss+cluster": ("cluster", "rediss", 6379),
}
"""What the URL names, the scheme of a single server of that kind, the port where none is given."""
OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 2.0,
    "socket_timeout": None,  # see DEAF in service/delivery.py
    "max_connections": 1000,
}
"""Of every connection, in seconds; the URL's query overrides them."""
ASKING = {"socket_connect_timeout": 1.0, "socket_timeout": 1.0, "protocol": 2, "db": 0}
"""Of a connection that only asks who is primary: others can be asked too."""


@dataclass(frozen=True)
class Address:
    """What a URL says; the passwords in it are left out of its text."""

    kind: Literal["one", "sentinel", "cluster"]
    seeds: tuple[Place, ...]
    service: str = ""
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    sentinel_login: dict[str, Any] = field(default_factory=dict, repr=False)

    def primary(self, place: Place) -> "Redis":
        """Return a client of the primary at `place`; where Sentinels watch, it sees with each connection that it is."""
        return self.client(place, **({"redis_connect_func": _to_primary} if self.kind == "sentinel" else {}))

    def client(self, place: Place = ("", 0), **special: Any) -> "Redis":
        """Return a client of the server at `place`, which connects when it is used and never repeats by itself."""
        host, port = place
        where = {"host": host, "port": port} if host else {}
        return Redis.from_pool(
            ConnectionPool(retry=Retry(NoBackoff(), 0), **{**OPTIONS, **self.options, **where, **special})
        )


def read_address(url: str) -> Address:
    """Return what `url` says.

    Raises:
        ValueError: it can't be read; the text says what would be right, and holds nothing of the URL's.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        raise ValueError(f"it begins with one of {', '.join(f'{s}://' for s in SCHEMES)}, as in {EXAMPLES['one']}")
    kind, base, port = SCHEMES[scheme]
    try:
        address = _one(url) if kind == "one" else _several(kind, base, rest, port)
        address.client(("host", 1) if kind != "one" else ("", 0)).connection_pool.make_connection()  # type: ignore[no-untyped-call]
    except TypeError:
        raise ValueError("an option after the ? is none that is known") from None
    except ValueError as error:
        known = isinstance(error, _Told)
        what = str(error) if known else "a port is no number, or a character of the password is not percent-encoded"
        raise ValueError(f"{what}; it looks like {EXAMPLES[kind]}") from None
    return address


async def _to_primary(connection: Any) -> None:
    """Connect, unless it is a replica by now: it would let itself be read for ever, and drops connections only once."""
    await connection.on_connect()
    await connection.send_command("ROLE")
    role, *_ = await connection.read_response()
    if role != b"master":
        raise ReadOnlyError("the server is a replica now")


class _Told(ValueError):
    """A fault whose text is ours."""


def _one(url: str) -> Address:
    parts = urlsplit(url)
    if parts.scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdigit():
        raise _Told("after the host comes nothing, or the number of a database")
    return Address("one", (("", 0),), options=dict(parse_url(url)))


def _several(kind: Literal["one", "sentinel", "cluster"], base: str, rest: str, port: int) -> Address:
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    user, at, hosts = authority.rpartition("@")
    seeds = tuple(_place(part, port) for part in hosts.split(","))
    service, _, db = path.partition("/") if kind == "sentinel" else ("", "", path)
    if kind == "sentinel" and not service:
        raise _Told("after the Sentinels comes the name of the primary that they watch")
    if kind == "cluster" and db not in ("", "0"):
        raise _Told("a Cluster has no databases but 0")
    if db and not db.isdigit():
        raise _Told("the database is no number")
    given = parse_qs(query)
    login = {name: given.pop(f"sentinel_{name}", [None])[0] for name in ("username", "password")}
    options = dict(parse_url(f"{base}://{user}{at}host:1/{db}?{urlencode(given, doseq=True)}"))
    del options["host"], options["port"]
    return Address(kind, seeds, service, options, login)


def _place(text: str, port: int) -> Place:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.path or "@" in text:
        raise _Told("a host is missing")
    return parts.hostname, parts.port or port
