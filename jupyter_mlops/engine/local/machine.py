"""What this machine has, against what a step asks for.

A GPU that is not there stops a run before it starts: the step would run on the processor for hours, or fail late. Too
little memory or too few processors is said and tried: a request sized for a cluster often runs well on less.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jupyter_mlops.engine.local.quantities import quantity, size_text
from jupyter_mlops.errors import PlatformError, Where

_PLAIN = frozenset({"cpu", "memory", "ephemeral-storage"})


@dataclass(frozen=True)
class Machine:
    """Counts are read when they are first asked for."""

    @cached_property
    def processors(self) -> int:
        """Processors that this process may use."""
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1

    @cached_property
    def memory(self) -> int | None:
        """Bytes of memory: the container's limit (cgroup v2) where there is one, else the machine's; None if not known."""
        try:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return None
        try:
            limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        except (OSError, ValueError):
            return total
        return min(total, limit)

    def load(self) -> float:
        """Processes that wanted a processor, over the last minute; 0.0 where nobody tells."""
        try:
            return os.getloadavg()[0]
        except OSError:
            return 0.0

    def free_memory(self) -> int | None:
        """Bytes that can be had now without pushing anything out, in the system's own estimate; None if not known."""
        try:
            lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
            found = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
        except (OSError, ValueError, StopIteration):
            return None
        try:
            limit, used = (int(Path("/sys/fs/cgroup", name).read_text()) for name in ("memory.max", "memory.current"))
            stat = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text(encoding="ascii").splitlines())
            return min(found, limit - used + int(stat["inactive_file"]))
        except (OSError, ValueError, KeyError):
            return found

    def devices(self, resource: str) -> int:
        """Devices behind an extended resource name: ``nvidia.com/*`` and ``amd.com/*`` are counted, others are not known."""
        if resource.startswith("nvidia.com/mig-"):  # slices of one GPU, made by its administrator; which profile is not told
            return sum(1 for _ in Path("/proc/driver/nvidia/capabilities").glob("gpu*/mig/gi*"))
        if resource.startswith("nvidia.com/"):
            return sum(1 for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name))
        if resource.startswith("amd.com/"):
            return sum(1 for _ in Path("/dev/dri").glob("renderD*")) if Path("/dev/kfd").exists() else 0
        return 0

    def check(self, step: str, container: Mapping[str, Any]) -> None:
        """Raise PlatformError if a step asks for devices that this machine does not have."""
        for name, asked in _asked(container):
            if name in _PLAIN or not asked or self.devices(name) >= asked:
                continue
            has = self.devices(name)
            raise PlatformError(
                f"step {step!r} asks for {asked:g} of {name}, and this machine has {has or 'none'}",
                code="no-device",
                fix=f"Take the request for {name} out of the step's options to run it here, or run it on a cluster that has it.",
                where=Where(field=f"resources.{name}"),
            )

    def note(self, container: Mapping[str, Any]) -> str:
        """What to say of a step that asks for more memory or processors than there are; '' if nothing."""
        said = []
        for name, asked in _asked(container):
            if name == "memory" and self.memory is not None and asked > self.memory:
                said.append(f"asks for {size_text(asked)} of memory, this machine has {size_text(self.memory)}")
            if name == "cpu" and asked > self.processors:
                said.append(f"asks for {asked:g} processors, this machine has {self.processors}")
        return "; ".join(dict.fromkeys(said))


def _asked(container: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every resource with the greater of request and limit; what is no quantity counts as nothing."""
    found: dict[str, float] = {}
    for kind in ("requests", "limits"):
        for name, text in ((container.get("resources") or {}).get(kind) or {}).items():
            found[name] = max(found.get(name, 0.0), quantity(text) or 0.0)
    yield from found.items()
