"""How a target looks to scripts and to the browser: the shape of ``Target`` in ``server/api.yaml``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jupyter_mlops.targets.values import KEYS

if TYPE_CHECKING:
    from jupyter_mlops.targets.check import Health
    from jupyter_mlops.targets.find import Found


def target_view(found: Found, health: Health | None) -> dict[str, Any]:
    """A target with its settings and what the last check found; nothing in it is secret."""
    target = found.target
    level = "ok" if target.local else "unknown" if health is None else health.level
    return {
        "name": target.name,
        "title": found.title,
        "local": target.local,
        "server": found.server,
        **{key: getattr(target, key) for key in KEYS if key != "mirrors"},
        "mirrors": dict(target.mirrors),
        "health": level,
        "checked": None if health is None else health.checked,
        "checks": [] if health is None else [asdict(check) for check in health.checks],
    }
