"""How much a Workflow may hold: limits of Argo's definitions, of Kubernetes and of etcd, each with where it comes from."""

from __future__ import annotations

MAX_TASKS = 200
"""Tasks of a DAG (maxItems in the definitions that Argo 4 installs)."""

MAX_TEMPLATES = 200
"""Templates of a Workflow (the same definitions)."""

MAX_PARAMETERS = 500
"""Parameters of the Workflow or of one template (the same definitions)."""

MAX_BYTES = 1 << 20
"""Bytes of the object: above 1 MiB Argo packs the status away, and etcd refuses the object at 1.5 MB."""

MAX_ARGUMENT = 131_072
"""Bytes of one argument of a container: Argo turns a longer one into a file that the program has to know of."""

MAX_ANNOTATIONS = 262_144
"""Bytes of all annotations of an object (Kubernetes)."""

PLAN_BYTES = 65_536
"""Bytes of our plan annotation: a quarter of what Kubernetes allows for all."""

GENERATED = 5
"""Characters that ``generateName`` adds."""

NAME_LENGTH = 63
"""Characters of a label, and so of a Workflow's name: Argo labels each pod with it."""
