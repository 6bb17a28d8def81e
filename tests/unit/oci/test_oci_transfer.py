"""Blobs over connections that break, through registries with habits: whole, verified, and not sent or asked for twice."""

import hashlib
import json
import os
import re
import threading

import pytest

from jupyter_mlops.errors import Corrupt, NotAllowed, NotFound, StorageFull, Unavailable, WrongUsage
from jupyter_mlops.oci import upload
from jupyter_mlops.oci.names import OCI_LAYER
from jupyter_mlops.oci.parallel import each, put_blobs
from jupyter_mlops.oci.remote import Remote
from jupyter_mlops.testing.embedded import embedded_registry
from jupyter_mlops.testing.wire import Fault, Wire
from tests.unit.oci.noted import noted_requests

BIG = os.urandom(3_000_000)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    pauses = []
    monkeypatch.setattr("jupyter_mlops.oci.http.time.sleep", pauses.append)
    return pauses


@pytest.fixture(autouse=True)
def no_config(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture
def host(tmp_path):
    with embedded_registry(tmp_path / "registry") as address:
        yield address.removeprefix("http://")


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path


@pytest.fixture
def asked(monkeypatch):
    return noted_requests(monkeypatch)


def read(store, data, repository="a"):
    with store.open_blob(repository, digest(data)) as stream:
        return stream.read()


# -- sending ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [(1_000_000,), (500, 2_000_000), (1_500_000, 900_000, 2_900_000)])
def test_an_upload_that_breaks_goes_on_where_the_registry_stands(host, big, cuts, asked):
    Remote(f"http://{host}").put_blob("a", b"warm", OCI_LAYER)
    asked.clear()
    with Wire(host, [Fault(up=cut) for cut in cuts]) as wire:
        blob = Remote(f"http://{wire.host}").put_blob("a", big, OCI_LAYER)
    assert blob.digest == digest(BIG)
    assert read(Remote(f"http://{host}"), BIG) == BIG
    assert len([1 for method, *_ in asked if method == "POST"]) <= 1 + len(cuts)


def test_what_the_registry_kept_is_not_sent_again(host, big, asked):
    """What a server has not read when the connection breaks is lost, and on a busy machine that can be all: then once more."""
    for attempt in range(10):
        asked.clear()
        with Wire(host, [Fault(up=2_000_000)]) as wire:
            Remote(f"http://{wire.host}").put_blob(f"a{attempt}", big, OCI_LAYER)
        rest = [size for method, _, size in asked if method == "PATCH"]
        begun = [1 for method, *_ in asked if method == "POST"]
        if rest and len(begun) == 1:
            break
    assert rest
    assert max(rest) < len(BIG)
    assert len(begun) == 1


def test_the_answer_alone_was_lost_and_nothing_is_sent_again(host, big, asked):
    """The registry has the blob, and the client does not know it."""
    with Wire(host) as wire:
        store = Remote(f"http://{wire.host}")
        store.tags("a")
        ours = store._transport.once

        def losing(method, *given, **named):
            answer = ours(method, *given, **named)
            if method == "PUT" and not lost:
                lost.append(answer.status)
                answer.close()
                raise ConnectionResetError("lost")
            return answer

        lost = []
        store._transport.once = losing
        store.put_blob("a", big, OCI_LAYER)
    assert lost == [201]
    assert len([1 for method, _, size in asked if size > 1_000_000]) == 1


class Small:
    """A registry behind a gateway that takes no body of more than so many bytes."""

    def __init__(self, limit, smallest=0):
        self.limit, self.smallest, self.got, self.done = limit, smallest, b"", []

    def __call__(self, method, path, headers, body):
        if method in {"HEAD", "GET"}:
            return 404, {}, b""
        if len(body) > self.limit:
            return 413, {}, b"too large"
        if method == "POST":
            self.got = b""
            return 202, {"Location": "/up", "OCI-Chunk-Min-Length": str(self.smallest)}, b""
        if body:
            first, _, last = headers.get("Content-Range", f"0-{len(body) - 1}").partition("-")
            assert (int(first), int(last)) == (len(self.got), len(self.got) + len(body) - 1)
            self.got += body
            self.done.append(len(body))
        return 202 if method == "PATCH" else 201, {"Location": "/up"}, b""


def test_a_blob_goes_in_pieces_where_it_is_too_much_at_once(big, monkeypatch, scripted_server):
    monkeypatch.setattr(upload, "PIECES", (2_000_000, 700_000, 300_000))
    small = Small(1_000_000)
    Remote(f"http://{scripted_server(small).host}").put_blob("a", big, OCI_LAYER)
    assert small.got == BIG
    assert small.done == [700_000] * 4 + [200_000]


def test_pieces_are_no_smaller_than_the_registry_wants(big, monkeypatch, scripted_server):
    monkeypatch.setattr(upload, "PIECES", (1_000_000, 100_000))
    small = Small(2_000_000, smallest=1_600_000)
    Remote(f"http://{scripted_server(small).host}").put_blob("a", big, OCI_LAYER)
    assert (small.got, small.done) == (BIG, [1_600_000, 1_400_000])


def test_a_gateway_that_takes_nothing_is_an_error(big, scripted_server):
    with pytest.raises(WrongUsage, match="413"):
        Remote(f"http://{scripted_server(Small(100)).host}").put_blob("a", big, OCI_LAYER)


def test_a_blob_is_mounted_from_where_it_is_known_to_be(host, asked):
    store = Remote(f"http://{host}")
    store.put_blob("a", BIG, OCI_LAYER)
    asked.clear()
    store.put_blob("b/c", BIG, OCI_LAYER)
    assert sum(size for *_, size in asked) == 0
    assert read(store, BIG, "b/c") == BIG
    assert store.mount("d", digest(BIG), "a")
    assert not store.mount("e", digest(b"unknown"), "a")
    assert read(store, BIG, "d") == BIG


def test_several_blobs_at_once_keep_their_order(host):
    store = Remote(f"http://{host}")
    contents = [bytes([number]) * (1 + 70_000 * (number % 3)) for number in range(20)]
    made = put_blobs(store, "a", [(content, OCI_LAYER) for content in contents])
    assert [blob.digest for blob in made] == [digest(content) for content in contents]
    assert all(read(store, content) == content for content in contents)


def test_at_most_so_many_at_once_and_none_after_a_failure():
    running, most, done = set(), [0], []
    lock = threading.Lock()

    def work(number):
        with lock:
            running.add(number)
            most[0] = max(most[0], len(running))
        if number == 3:
            running.discard(number)
            raise NotFound("three")
        with lock:
            running.discard(number)
            done.append(number)
        return number

    assert each(work, [0, 1, 2], 2) == [0, 1, 2]
    with pytest.raises(NotFound):
        each(work, range(3, 1000), 4)
    assert most[0] <= 4
    assert len(done) < 1000


class Twice:
    """Chunks that can be had again; they change when ``after`` readings were made."""

    def __init__(self, after=99):
        self.left = after

    def __iter__(self):
        self.left -= 1
        data = BIG if self.left >= 0 else BIG[:-5]
        return (data[start : start + 70_001] for start in range(0, len(data), 70_001))


@pytest.mark.parametrize("cuts", [(), (1_500_000, 700_000)])
def test_chunks_that_can_be_had_again_are_not_written_to_disk(host, cuts, monkeypatch):
    monkeypatch.setattr("jupyter_mlops.oci.content.Upload", None)
    with Wire(host, [Fault(up=cut) for cut in cuts]) as wire:
        assert Remote(f"http://{wire.host}").put_blob("a", Twice(), OCI_LAYER).digest == digest(BIG)
    assert read(Remote(f"http://{host}"), BIG) == BIG


def test_chunks_that_come_once_are_kept_until_they_are_there(host):
    with Wire(host, [Fault(up=1_500_000)]) as wire:
        assert Remote(f"http://{wire.host}").put_blob("a", iter(Twice()), OCI_LAYER).digest == digest(BIG)
    assert read(Remote(f"http://{host}"), BIG) == BIG


def test_what_changes_while_it_is_sent_is_not_stored(host, big):
    with pytest.raises(Corrupt, match="shorter"):
        Remote(f"http://{host}").put_blob("a", Twice(after=1), OCI_LAYER)
    big.write_bytes(BIG[:-1] + bytes([BIG[-1] ^ 1]))
    from jupyter_mlops.oci.store import Descriptor

    with pytest.raises(Corrupt):
        Remote(f"http://{host}").put_file("a", Descriptor(OCI_LAYER, digest(BIG), len(BIG)), big)
    with pytest.raises(NotFound):
        read(Remote(f"http://{host}"), BIG)


# -- receiving -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [(300,), (5_000,), (1_000_000, 1_500_000), (100, 1_000, 10_000, 100_000, 1_000_000)])
def test_a_download_that_breaks_is_gone_on_with(host, cuts, asked):
    Remote(f"http://{host}").put_blob("a", BIG, OCI_LAYER)
    asked.clear()
    with Wire(host, [Fault(down=cut) for cut in cuts]) as wire:
        assert read(Remote(f"http://{wire.host}"), BIG) == BIG
    assert len(asked) <= 2 + len(cuts)


def test_a_flipped_bit_is_refused_and_named(host):
    Remote(f"http://{host}").put_blob("a", BIG, OCI_LAYER)
    with Wire(host, [Fault(flip=1_000_000)]) as wire, pytest.raises(Corrupt, match=digest(BIG)):
        read(Remote(f"http://{wire.host}"), BIG)


def test_a_flipped_bit_after_a_break_is_refused_too(host):
    Remote(f"http://{host}").put_blob("a", BIG, OCI_LAYER)
    with Wire(host, [Fault(down=1_000_000), Fault(flip=900_000)]) as wire, pytest.raises(Corrupt, match=digest(BIG)):
        read(Remote(f"http://{wire.host}"), BIG)


def test_a_download_that_breaks_each_time_ends(host):
    Remote(f"http://{host}").put_blob("a", BIG, OCI_LAYER)
    with Wire(host, [Fault(down=1_000_000), *[Fault(down=50)] * 40]) as wire, pytest.raises((Unavailable, Corrupt)):
        read(Remote(f"http://{wire.host}"), BIG)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_registry_with_and_one_without_ranges(ranges, scripted_server):
    """One that sends everything again is read over, and no byte is taken twice."""

    def answer(method, path, headers, body):
        start = int(re.findall(r"\d+", headers.get("Range", "bytes=0-"))[0]) if ranges else 0
        cut = BIG[start : start + 1_200_000] if len(server.asked) < 3 else BIG[start:]
        known = {"Content-Range": f"bytes {start}-{len(BIG) - 1}/{len(BIG)}"} if start else {}
        return 206 if start else 200, {"Content-Length": str(len(BIG) - start), "Connection": "close", **known}, cut

    server = scripted_server(answer)
    assert read(Remote(f"http://{server.host}"), BIG) == BIG


@pytest.mark.parametrize(("start", "count"), [(0, 10), (1_500_000, 700_000), (len(BIG) - 5, 5), (len(BIG) - 5, 900), (len(BIG), 7)])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_comes_from_any_registry(ranges, start, count, scripted_server):
    """One without ranges sends all from the first byte on, and breaks off the first time."""

    def answer(method, path, headers, body):
        first, last = map(int, re.findall(r"\d+", headers["Range"]))
        if ranges and first >= len(BIG):
            return 416, {"Connection": "close"}, b""
        whole = BIG[first : last + 1] if ranges else BIG
        known = {"Content-Range": f"bytes {first}-{last}/{len(BIG)}"} if ranges else {}
        sent = whole[: len(whole) // 2] if len(server.asked) == 1 else whole
        return 206 if ranges else 200, {"Content-Length": str(len(whole)), "Connection": "close", **known}, sent

    server = scripted_server(answer)
    assert Remote(f"http://{server.host}").read_range("a", digest(BIG), start, count) == BIG[start : start + count]
    assert len(server.asked) <= 2


def test_another_part_than_was_asked_for_is_refused(scripted_server):
    server = scripted_server(lambda *_: (206, {"Content-Range": f"bytes 0-9/{len(BIG)}"}, BIG[:10]))
    with pytest.raises(Unavailable, match="bytes 0-9") as refused:
        Remote(f"http://{server.host}").read_range("a", digest(BIG), 5, 10)
    assert refused.value.code == "registry-failed"


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (403, NotAllowed), (405, WrongUsage), (502, Unavailable)])
def test_a_part_that_cannot_be_had_says_why(status, kind, scripted_server):
    server = scripted_server(lambda *_: (status, {}, b""))
    with pytest.raises(kind):
        Remote(f"http://{server.host}").read_range("a", digest(BIG), 5, 10)


# -- a registry that has no room, or is none -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "said", "kind", "code"),
    [
        (500, '{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"Err":28}}]}', StorageFull, "storage-full"),
        (403, '{"errors":[{"code":"DENIED","message":"exceed the project quota"}]}', StorageFull, "storage-full"),
        (412, '{"errors":[{"code":"DENIED","message":"quota: 1 GiB"}]}', StorageFull, "storage-full"),
        (507, "", StorageFull, "storage-full"),
        (405, '{"errors":[{"code":"UNSUPPORTED","message":"read-only"}]}', WrongUsage, "registry-unsupported"),
        (400, '{"errors":[{"code":"DIGEST_INVALID","message":"other bytes"}]}', Corrupt, "corrupt"),
        (400, "Client sent an HTTP request to an HTTPS server.", WrongUsage, "registry-tls"),
        (200, "<html>log in</html>", Unavailable, "not-a-registry"),
        (502, "<html>gateway</html>", Unavailable, "registry-failed"),
    ],
)
def test_a_push_that_is_refused_says_why(status, said, kind, code, scripted_server):
    def answer(method, path, headers, body):
        return (404, {}, b"") if method == "HEAD" else (status, {}, said.encode())

    with pytest.raises(kind) as refused:
        Remote(f"http://{scripted_server(answer).host}").put_blob("a", b"x", OCI_LAYER)
    assert refused.value.code == code
    assert refused.value.fix


@pytest.mark.parametrize("ask", ["tags", "get_manifest", "open_blob", "put_manifest"])
def test_a_page_that_answers_everything_is_no_registry(ask, scripted_server):
    """A captive portal says 200 to all; nothing of it is believed."""
    page = b"<html>please log in</html>"
    server = scripted_server(lambda *_: (200, {"Content-Type": "text/html"}, page))
    store = Remote(f"http://{server.host}")
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
    asks = {
        "tags": lambda: store.tags("a"),
        "get_manifest": lambda: store.get_manifest("a", "v1"),
        "open_blob": lambda: read(store, b"data"),
        "put_manifest": lambda: store.put_manifest("a", index),
    }
    with pytest.raises((Unavailable, Corrupt)):
        asks[ask]()


@pytest.mark.parametrize("place", ["/up/1", "http://{host}/up/1?state=x", "up/1"])
def test_where_an_upload_goes_may_be_said_in_any_way(place, scripted_server):
    def answer(method, path, headers, body):
        if method == "HEAD":
            return 404, {}, b""
        if method == "POST":
            return 202, {"Location": place.format(host=headers["Host"])}, b""
        return 201, {}, b""

    server = scripted_server(answer)
    Remote(f"http://{server.host}").put_blob("a", b"x", OCI_LAYER)
    sent = next(path for method, path, _ in server.asked if method == "PUT")
    assert re.fullmatch(r"(/v2/a/blobs/uploads)?/up/1\?(state=x&)?digest=sha256%3A[0-9a-f]{64}", sent)


def test_lists_are_followed_over_their_pages_and_not_in_a_circle(scripted_server):
    pages = {"tags": ["a", "b", "c"], "repositories": ["x/a", "team/y", "team/mlops/catalog"], "manifests": []}

    def answer(method, path, headers, body):
        key = "tags" if "/tags/" in path else "repositories" if "_catalog" in path else "manifests"
        at = int(re.findall(r"last=(\d+)", path)[0]) + 1 if "last=" in path else 0
        document = json.dumps({key: pages[key][at : at + 1]}).encode()
        more = {"Link": f'</v2/{path.partition("?")[0][4:]}?n=1&last={at}>; rel="next"'} if at + 1 < len(pages[key]) else {}
        circle = {"Link": f'<{path}>; rel="next"'} if at == 2 else {}
        return 200, {**more, **circle}, document

    store = Remote(f"http://{scripted_server(answer).host}/team")
    assert store.tags("a") == ["a", "b", "c"]
    assert store.repositories() == ["y"], "below the base, and without our own catalog"
    assert store.referrers("a", digest(b"")) == []
