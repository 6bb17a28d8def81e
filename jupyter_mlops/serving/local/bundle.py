"""What an interpreter without this package needs to run the model server, as a folder.

The interpreter that trained a model need not have jupyter-mlops, nor tornado: the server's own modules, tornado,
prometheus-client and cloudpickle are copied, pure Python as they are, into ``cache/bundles/<digest>`` and put first on its
import path. The digest is that of the contents, so that an upgrade makes a new folder and never changes a running server.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from jupyter_mlops.errors import StorageFull
from jupyter_mlops.serving.bundle import server_files
from jupyter_mlops.serving.local.place import private


def server_bundle(cache: Path) -> Path:
    """The folder to put on the import path; made when it is not there.

    Raises StorageFull if it cannot be written, PlatformError if a package is not installed.
    """
    files = dict(server_files())
    sums = "".join(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for name, path in sorted(files.items()))
    target = cache / "bundles" / hashlib.sha256(sums.encode()).hexdigest()
    if target.is_dir():
        return target
    private(target.parent)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as temporary:
            made = Path(temporary) / "bundle"
            for name, path in files.items():
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, made / name)
            try:
                made.rename(target)
            except OSError:
                if not target.is_dir():  # else another program was faster, with the same bytes
                    raise
    except OSError as error:
        raise StorageFull(
            f"cannot write the model server to {target.parent}: {error.strerror}", fix="Make room on the disk."
        ) from error
    return target
