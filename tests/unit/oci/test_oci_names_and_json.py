"""Digests, canonical JSON, names and descriptors: the small laws that everything else relies on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.errors import Bug, Corrupt, WrongUsage
from jupyter_mlops.oci.canonical import canonical, parse_object
from jupyter_mlops.oci.descriptor import MAX_MANIFEST, from_dict, manifest_of, points_to, subject_of, to_dict
from jupyter_mlops.oci.digest import digest_of, hex_of, is_digest
from jupyter_mlops.oci.names import OCI_INDEX, OCI_MANIFEST
from jupyter_mlops.oci.reference import check_repository, split_reference
from jupyter_mlops.oci.store import Descriptor

DIGEST = "sha256:" + 64 * "a"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=6))
def test_canonical_json_is_json_and_forgets_the_order(document):
    data = canonical(document)
    assert json.loads(data) == document
    assert canonical(dict(reversed(document.items()))) == data
    assert parse_object(data, "it") == document


def test_canonical_json_keeps_a_lone_surrogate():
    assert parse_object(canonical({"output": "\ud800"}), "it") == {"output": "\ud800"}


@pytest.mark.parametrize("wrong", [{"a": float("nan")}, {"a": float("inf")}, {"a": object()}, {"a": {1, 2}}, {(1, 2): 3}])
def test_what_json_cannot_say_is_our_bug(wrong):
    with pytest.raises(Bug):
        canonical(wrong)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_named(data):
    with pytest.raises(Corrupt, match="the config of x"):
        parse_object(data, "the config of x")


def test_the_digest_of_nothing_is_the_one_everybody_knows():
    assert digest_of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "wrong", ["", "sha256:", "sha256:" + 63 * "a", "sha256:" + 64 * "A", "sha512:" + 64 * "a", "../../etc", DIGEST + "\n"]
)
def test_only_digests_become_file_names(wrong):
    assert not is_digest(wrong)
    with pytest.raises(WrongUsage) as refused:
        hex_of(wrong)
    assert refused.value.code == "invalid-digest"


@pytest.mark.parametrize("name", ["a", "a/b/c", "a.b", "a__b", "a---b", "0", "models/churn-2.v1"])
def test_names_of_the_specification_are_taken(name):
    assert check_repository(name) == name


@pytest.mark.parametrize("name", ["a..b", "a___b", "a_-b", "a.", "A", "a\n", "a/../b", ".", "a\x00"])
def test_names_against_the_specification_are_refused_with_the_rule(name):
    with pytest.raises(WrongUsage) as refused:
        check_repository(name)
    assert refused.value.code == "invalid-name"
    assert "lower-case" in refused.value.fix


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a/b", ("a/b", "")), ("a/b:v1", ("a/b", "v1")), (f"a@{DIGEST}", ("a", DIGEST))],
)
def test_references_fall_into_parts(text, parts):
    assert tuple(split_reference(text)) == parts


@pytest.mark.parametrize("text", ["a:", "a@", "a@v1", "a:v 1", "@" + DIGEST, ":v1", "a:b:c"])
def test_other_references_are_refused(text):
    with pytest.raises(WrongUsage):
        split_reference(text)


descriptors = st.builds(
    Descriptor,
    st.just(OCI_MANIFEST),
    st.binary().map(digest_of),
    st.integers(0, 1 << 50),
    st.dictionaries(st.text(), st.text(), max_size=3),
    st.none() | st.just("application/x"),
    st.none() | st.just({"os": "linux", "architecture": "arm64"}),
)


@given(descriptors)
def test_a_descriptor_survives_json(descriptor):
    assert from_dict(json.loads(json.dumps(to_dict(descriptor)))) == descriptor


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "x",
        {},
        {"mediaType": "x", "digest": "v1", "size": 1},
        {"mediaType": "x", "digest": DIGEST, "size": -1},
        {"mediaType": 1, "digest": DIGEST, "size": 1},
    ],
)
def test_a_wrong_descriptor_names_its_document(wrong):
    with pytest.raises(Corrupt, match=r"index\.json of x"):
        from_dict(wrong, "index.json of x")


def manifest(**fields):
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, **fields}).encode()


def test_a_manifest_says_what_it_needs():
    layer = {"mediaType": "x", "digest": DIGEST, "size": 1}
    elsewhere = {**layer, "digest": "sha256:" + 64 * "b", "urls": ["https://example.org"]}
    subject = {**layer, "digest": "sha256:" + 64 * "c"}
    found = manifest_of(manifest(config={**layer, "mediaType": "application/c"}, layers=[layer, elsewhere], subject=subject))
    assert points_to(found) == (DIGEST, DIGEST)
    assert subject_of(found.document) == subject["digest"]
    assert found.descriptor.artifact_type == "application/c"


def test_the_type_is_what_was_said_or_what_it_looks_like():
    assert manifest_of(b'{"schemaVersion":2,"manifests":[]}').descriptor.media_type == OCI_INDEX
    assert manifest_of(b'{"schemaVersion":2,"layers":[]}').descriptor.media_type == OCI_MANIFEST
    assert manifest_of(b'{"schemaVersion":2}', OCI_INDEX).descriptor.media_type == OCI_INDEX


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"not json", None),
        (manifest(), OCI_INDEX),
        (manifest(schemaVersion=1), None),
        (manifest(annotations=[]), None),
        (manifest(layers=[{}]), None),
        (manifest(layers=[7]), None),
        (manifest(subject={"digest": "x"}), None),
        (manifest(mediaType="text/plain"), None),
    ],
)
def test_what_is_no_manifest_is_refused(data, said):
    with pytest.raises(WrongUsage) as refused:
        manifest_of(data, said)
    assert refused.value.code == "manifest-invalid"


def test_a_manifest_over_four_mebibytes_is_refused():
    with pytest.raises(WrongUsage) as refused:
        manifest_of(b" " * (MAX_MANIFEST + 1))
    assert refused.value.code == "manifest-too-large"
