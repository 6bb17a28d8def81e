"""A verified stream hands out the last bytes only after it has checked all of them."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.verify import verified


def opened(data, *, digest=None, size=None, source=None):
    return verified(source or io.BytesIO(data), digest or digest_of(data), len(data) if size is None else size, "/place")


@given(st.binary(max_size=5000), st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_any_way_of_reading_gives_the_bytes(data, reads):
    with opened(data) as stream:
        parts = [stream.read(count) for count in reads]
        assert b"".join(parts) + stream.read() == data


@given(st.binary(min_size=1, max_size=3000), st.data(), st.integers(1, 500))
def test_a_changed_byte_is_always_found(data, draw, step):
    place = draw.draw(st.integers(0, len(data) - 1))
    changed = bytearray(data)
    changed[place] ^= 1
    with opened(bytes(changed), digest=digest_of(data)) as stream, pytest.raises(Corrupt) as damage:
        list(iter(lambda: stream.read(step), b""))
    assert digest_of(data) in damage.value.message
    assert "/place" in damage.value.message


@pytest.mark.parametrize("read", [lambda s: s.read(), lambda s: s.read(4), lambda s: s.readinto(bytearray(4)), list])
def test_who_takes_the_last_byte_gets_the_error(read):
    with opened(b"abcX", digest=digest_of(b"abcd")) as stream, pytest.raises(Corrupt):
        read(stream)


def test_too_few_bytes_are_found():
    with opened(b"abc", digest=digest_of(b"abcd"), size=4) as stream, pytest.raises(Corrupt, match="1 bytes early"):
        stream.read()


def test_more_bytes_than_promised_are_not_handed_out():
    with opened(b"abcdEVIL", digest=digest_of(b"abcd"), size=4) as stream:
        assert stream.read() == b"abcd"


def test_an_empty_blob_is_checked_too_and_its_source_closed():
    source = io.BytesIO(b"")
    with pytest.raises(Corrupt):
        opened(b"", digest=digest_of(b"x"), size=0, source=source)
    assert source.closed
    with opened(b"") as stream:
        assert stream.read() == b""


def test_closing_closes_the_source():
    source = io.BytesIO(b"abc")
    with opened(b"abc", source=source):
        pass
    assert source.closed
