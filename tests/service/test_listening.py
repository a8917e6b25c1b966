import pytest

from service.api.listening import listening


def test_a_port_is_shared_only_where_all_who_listen_say_so() -> None:
    with listening("127.0.0.1", 0, shared=True) as one:
        port = one.getsockname()[1]
        listening("127.0.0.1", port, shared=True).close()
        with pytest.raises(OSError, match=f"127.0.0.1:{port} can't be listened on .*choose another port"):
            listening("127.0.0.1", port)
