"""Deletion of a blob that somebody named: at once, and never one that a manifest of the repository needs.

This is not collection (``collect.py``), which may take only what nobody can miss and therefore waits for publishers: here a
client says which bytes shall go. A publisher in between, who saw the blob and has not sent his manifest yet, is refused that
manifest (``Layout.put_manifest_bytes`` looks under the same lock), and sends the blob again: no manifest is ever left without
its bytes.
"""

from __future__ import annotations

from contextlib import suppress

from jupyter_mlops.errors import Conflict, NotFound
from jupyter_mlops.oci.layout import Layout


def delete_blob(layout: Layout, repository: str, digest: str) -> None:
    """Take a blob away from a repository; its bytes are freed when it was the last one to have them.

    Raises:
        NotFound: code ``blob-unknown``.
        Conflict: code ``blob-needed``: a manifest of the repository holds it, or is it.
        Corrupt: a manifest is damaged, so that nobody knows what it needs.
    """
    layout.blob_size(repository, digest)
    with layout.edit(repository):
        for known in layout.index(repository).manifests:
            if digest == known or digest in _held(layout, repository, known):
                raise Conflict(
                    f"{digest} is needed by the manifest {known} of {repository}",
                    code="blob-needed",
                    fix="Delete the manifest first.",
                )
        layout.blob_path(repository, digest).unlink(missing_ok=True)
        layout.give_up(repository, digest)
        pooled = layout.pooled(digest)
        with suppress(FileNotFoundError):
            if pooled.stat().st_nlink == 1:
                pooled.unlink()


def _held(layout: Layout, repository: str, known: str) -> frozenset[str]:
    """Everything below a manifest, itself left out; what other tools did not copy holds nothing."""
    found: set[str] = set()
    waiting = [known]
    while waiting:
        with suppress(NotFound):
            facts = layout.facts(repository, waiting.pop())
            found.update(facts.blobs, facts.children)
            waiting += facts.children
    return frozenset(found)
