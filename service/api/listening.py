"""Ports that are listened on."""

import socket


def listening(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that listens on host and port; others may beside it where all of them are `shared`.

    Raises:
        OSError: the port is in use, or the host is not ours; the message says which.
    """
    try:
        found = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512, reuse_port=shared
        )
        # asyncio sets it only on sockets that name their protocol; without it every answer waits 40 ms for an ACK.
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found
    except OSError as error:
        raise OSError(f"{host}:{port} can't be listened on ({error.strerror}); choose another port") from None
