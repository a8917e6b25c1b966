"""Values as DUMP gives them, for a server that is older than the one that gave them."""

READ_BY_ALL = 11
"""The version of Redis 7.2's format: what we keep looks the same in it and in all later ones."""
POLYNOMIAL = 0x95AC9329AC4BC9B5
"""CRC-64 "Jones", reflected, as in Redis's crc64.c."""


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


def crc64(data: bytes) -> int:
    """Return the checksum that ends a value.

    >>> hex(crc64(b"123456789"))
    '0xe9c6d914c4b8d9ca'
    """
    crc, table = 0, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc


def aged(dumped: bytes) -> bytes:
    """Return a value under the version that all servers of 7.2 or newer read; its last 10 bytes are version and sum."""
    if int.from_bytes(dumped[-10:-8], "little") <= READ_BY_ALL:
        return dumped
    body = dumped[:-10] + READ_BY_ALL.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")
