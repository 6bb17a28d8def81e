"""Every byte of a registry folder looked at: what a disk, a power cut or another program did to it, and what mends that.

A push never mends a damaged blob by itself: a file of the right size counts as there. So a repair moves damaged bytes aside
(``_damaged``, for whoever wants to look) and takes the sound ones from the pool or from another repository; where nobody has
them, the next push of the same brings them back. Tags are never guessed: only one that leads to no manifest any more is taken off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlops.errors import Corrupt, NotFound, PlatformError, WrongUsage
from jupyter_mlops.oci.digest import algorithm_of, hasher, is_digest
from jupyter_mlops.oci.disk import explained, read_chunks, replace_file
from jupyter_mlops.oci.index import Index
from jupyter_mlops.oci.layout import MARKER, Layout
from jupyter_mlops.registry.collect import blob_files


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it must be. ``repair`` says what was done about it; '' for nothing."""

    repository: str
    what: str
    """``index``, ``marker``, ``damaged`` (blob), ``missing`` (blob), ``manifest`` or ``pool``."""

    subject: str
    """The digest, or the file."""

    detail: str
    repair: str = ""


def check(layout: Layout, repositories: Sequence[str] | None = None, *, repair: bool = False) -> Iterator[Damage]:
    """Look at repositories (None: all, and the pool), one after the other.

    Raises:
        StorageFull, PlatformError: the folder cannot be read, or not be written for a repair.
        NotFound: code ``name-unknown``: there is no such repository.
    """
    work = _Check(layout, repair=repair)
    known = layout.repositories()
    for name in known if repositories is None else repositories:
        if name not in known:
            raise NotFound(f"no repository {name}", code="name-unknown", fix="`jupyter mlops registry usage` lists them.")
        yield from work.repository(name)
    if repositories is None:
        yield from work.pool()


class _Check:
    """One pass. A file that has several names is read once."""

    def __init__(self, layout: Layout, *, repair: bool) -> None:
        self._layout, self._repair = layout, repair
        self._read: dict[tuple[int, int, int], bool] = {}

    def repository(self, name: str) -> Iterator[Damage]:
        """Marker, index, blobs, then what the manifests point to."""
        folder = self._layout.folder(name)
        marker = folder / "oci-layout"
        if not marker.is_file():
            if self._repair:
                with explained(self._layout.root):
                    replace_file(marker, MARKER, self._layout.root / "_uploads")
            yield Damage(name, "marker", str(marker), "is not there", "written" if self._repair else "")
        try:
            index = self._layout.index(name)
        except (Corrupt, PlatformError) as error:
            yield Damage(name, "index", str(folder / "index.json"), str(error))
            return
        for path in list(blob_files(folder / "blobs")):
            digest = f"{path.parent.name}:{path.name}"
            if is_digest(digest) and not self._sound(path, digest):
                yield self._damaged(name, path, digest)
        yield from self._manifests(name, index)

    def pool(self) -> Iterator[Damage]:
        """The second names: a damaged one would be handed on with the next mount."""
        for path in list(blob_files(self._layout.root / "_blobs")):
            digest = f"{path.parent.name}:{path.name}"
            if is_digest(digest) and not self._sound(path, digest):
                if self._repair:
                    path.unlink(missing_ok=True)
                yield Damage("", "pool", digest, f"{path} is damaged", "taken out of the pool" if self._repair else "")

    def _manifests(self, name: str, index: Index) -> Iterator[Damage]:
        """Follow every entry of the index; parts of an index that were never copied are no damage."""
        seen: set[str] = set()
        waiting = list(index.manifests)
        while waiting:
            digest = waiting.pop()
            if digest in seen:
                continue
            seen.add(digest)
            if not self._layout.blob_path(name, digest).is_file() and digest in index.manifests:
                yield self._lost(name, digest, index)
            try:
                facts = self._layout.facts(name, digest)
            except NotFound:
                continue
            except (Corrupt, WrongUsage) as error:
                if self._sound(self._layout.blob_path(name, digest), digest):  # else it was said with the blobs
                    yield Damage(name, "manifest", digest, str(error))
                continue
            waiting += facts.children
            for blob in facts.blobs:
                if blob not in seen and not self._layout.blob_path(name, blob).is_file():
                    seen.add(blob)
                    yield Damage(name, "missing", blob, f"the manifest {digest} needs it", self._bring(name, blob))

    def _damaged(self, name: str, path: Path, digest: str) -> Damage:
        """Move wrong bytes aside, and bring right ones."""
        done = ""
        if self._repair:
            aside = self._layout.root / "_damaged" / f"{name.replace('/', '%2F')}@{path.parent.name}-{path.name}"
            with explained(self._layout.root), self._layout.edit(name):
                aside.parent.mkdir(exist_ok=True)
                path.replace(aside)
            done = self._bring(name, digest) or f"moved to {aside}; push it again"
        return Damage(name, "damaged", digest, f"{path} does not have the digest that is its name", done)

    def _lost(self, name: str, digest: str, index: Index) -> Damage:
        """A manifest that is listed and not there: brought back, or no longer listed."""
        done = self._bring(name, digest)
        tags = sorted(tag for tag, found in index.tags.items() if found == digest)
        if self._repair and not done:
            with self._layout.edit(name) as save:
                save(self._layout.index(name).without_manifest(digest))
            done = f"no longer listed; tags taken off: {', '.join(tags) or 'none'}"
        return Damage(name, "manifest", digest, f"it is not there; tags: {', '.join(tags) or 'none'}", done)

    def _bring(self, name: str, digest: str) -> str:
        """Take sound bytes from wherever they are; what was done, or ''."""
        if not self._repair:
            return ""
        others = (self._layout.blob_path(other, digest) for other in self._layout.repositories() if other != name)
        for source in (self._layout.pooled(digest), *others):
            if source.is_file() and self._sound(source, digest):
                self._layout.put_blob(name, source, "application/octet-stream", algorithm_of(digest))
                self._layout.give_up(name, digest)
                return f"taken from {source}"
        return ""

    def _sound(self, path: Path, digest: str) -> bool:
        """Whether a file has the bytes that its name says; one that is gone by now is nobody's damage."""
        with suppress(FileNotFoundError):
            status = path.stat()
            key = (status.st_dev, status.st_ino, status.st_mtime_ns)
            if key not in self._read:
                algorithm = algorithm_of(digest)
                running = hasher(algorithm)
                try:
                    for chunk in read_chunks(path):
                        running.update(chunk)
                except PlatformError as error:
                    if isinstance(error.__cause__, FileNotFoundError):
                        return True
                    if isinstance(error.__cause__, PermissionError):
                        raise
                    self._read[key] = False  # the disk does not give the bytes back
                    return False
                self._read[key] = f"{algorithm}:{running.hexdigest()}" == digest
            return self._read[key]
        return True
