"""``index.json`` as a value: after any history of changes every tag names what it was last pointed at, and nothing is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Corrupt
from jupyter_mlops.oci.digest import digest_of
from jupyter_mlops.oci.index import REF_NAME, Index, parse_index
from jupyter_mlops.oci.names import OCI_MANIFEST
from jupyter_mlops.oci.store import Descriptor

MANIFESTS = [Descriptor(OCI_MANIFEST, digest_of(bytes([n])), n) for n in range(4)]
TAGS = ["v1", "v2", "latest"]
changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(MANIFESTS), st.lists(st.sampled_from(TAGS), max_size=3)),
        st.tuples(st.just("untag"), st.sampled_from(TAGS)),
        st.tuples(st.just("drop"), st.sampled_from(MANIFESTS)),
    ),
    max_size=25,
)


@given(changes)
def test_tags_follow_a_plain_model(history):
    index, tags, manifests = Index(), {}, set()
    for change in history:
        if change[0] == "put":
            index = index.with_manifest(change[1], change[2])
            manifests.add(change[1].digest)
            tags.update(dict.fromkeys(change[2], change[1].digest))
        elif change[0] == "untag":
            index = index.without_tag(change[1])
            tags.pop(change[1], None)
        else:
            index = index.without_manifest(change[1].digest)
            manifests.discard(change[1].digest)
            tags = {tag: digest for tag, digest in tags.items() if digest != change[1].digest}
        assert index.tags == tags
        assert set(index.manifests) == manifests
        assert parse_index(index.to_bytes(), "it") == Index(tuple(json.loads(index.to_bytes())["manifests"]))
        entries = [(entry["digest"], entry.get("annotations", {}).get(REF_NAME)) for entry in index.entries]
        assert len(entries) == len(set(entries)), "no entry twice"


def test_what_other_tools_wrote_stays():
    entry = {"mediaType": OCI_MANIFEST, "digest": MANIFESTS[0].digest, "size": 1, "annotations": {"a": "b"}, "data": "e30="}
    named = {**entry, "annotations": {"a": "b", REF_NAME: "docker.io/library/x:1"}}
    index = Index((entry, named)).with_manifest(MANIFESTS[1], ["v1"])
    assert list(index.entries[:2]) == [entry, named]
    assert dict(index.tags) == {"v1": MANIFESTS[1].digest}, "a name that cannot be a tag is not shown as one"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"manifests":{}}', b'{"manifests":[{}]}', b'{"manifests":[{"mediaType":1}]}']
)
def test_a_damaged_index_is_named(data):
    with pytest.raises(Corrupt, match=r"/some/index\.json"):
        parse_index(data, "/some/index.json")
