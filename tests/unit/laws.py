"""How laws are tested: as many examples as Hypothesis likes, and no verdict on the speed of the machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
