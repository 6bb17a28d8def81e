"""Kale's notebook metadata, ``kubeflow_notebook``: what each of its fields becomes.

Every field of Kale 0.x to 2.x stands in one of the tables below, so that a field that nobody thought of is told as unknown
instead of being dropped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_mlops.importers.base import listing, mapping, objects
from jupyter_mlops.importers.options import Wishes

METADATA = "kubeflow_notebook"
LEGACY = frozenset({"docker_image", "autosnapshot", "snapshot_volumes"})
"""Fields that only notebooks from before 2.x have."""

NOT_NEEDED: Mapping[str, str] = {
    "experiment": "runs are listed by pipeline, target and time",
    "experiment_name": "runs are listed by pipeline, target and time",
    "kfp_host": "no Kubeflow Pipelines is needed; the target says where a run goes",
    "abs_working_dir": "steps run in a view of the notebook's folder",
    "output_path": "convert -o says where the Workflow is written",
    "marshal_path": "values are handed on through the registry",
    "enable_caching": "steps are taken over from an earlier run when it is asked: jupyter mlops run --resume RUN",
    "autosnapshot": "no volume is used between steps",
    "snapshot_volumes": "no volume is used between steps",
    "timeout": "Kale does not use it",
    "storage_class_name": "no volume is used between steps",
    "volume_access_mode": "no volume is used between steps",
    "katib_run": "it says only whether Kale's panel starts the search",
}

LISTED = 100
"""Values of a space that are written out at most: as many as a person reads."""

UNSET: tuple[Any, ...] = (None, "", [], {}, False)


def read_metadata(kale: Mapping[str, Any], wishes: Wishes, tag: Callable[[str, Wishes, int | None], None]) -> str:
    """Read all fields; returns the pipeline's name, '' where there is none.

    Args:
        kale: the metadata.
        wishes: gets the defaults of every step, and the account.
        tag: reads one of ``steps_defaults``, which are tags.
    """
    account, name = wishes.account, ""
    for key, value in kale.items():
        if key == "pipeline_name" and isinstance(value, str) and value:
            name = value
            account.taken(key, "the name of the file, after which a pipeline is called")
        elif key == "enable_caching" and value is False:
            wishes.put(key, "cache", "off")
        elif key in NOT_NEEDED:
            account.not_needed(key, NOT_NEEDED[key])
        elif value in UNSET:
            account.not_needed(key, "it is not set")
        else:
            _field(key, value, wishes, tag)
    return name


def _field(key: str, value: Any, wishes: Wishes, tag: Callable[[str, Wishes, int | None], None]) -> None:
    """A field that is set and asks for something."""
    listed = listing(value)
    if key in {"base_image", "docker_image"}:
        wishes.put(key, "image", value)
    elif key == "steps_defaults":
        for one in listed:
            tag(str(one), wishes, None)
    elif key == "pipeline_description":
        fix = "Write it into a text cell at the top of the notebook."
        wishes.account.lost(key, f"runs have no description: {value!r}", fix)
    elif key == "volumes":
        for one in listed:
            _volume(mapping(one), wishes)
    elif key == "katib_metadata":
        _katib(mapping(value), wishes)
    elif key == "security_context":
        wishes.account.not_needed(key, "steps run as a user without rights and without capabilities")
    else:
        what = "Kale's documentation does not know this field"
        wishes.account.lost(key, what, "Nothing; look whether something relied on it.")


def _volume(volume: Mapping[str, Any], wishes: Wishes) -> None:
    """A volume: of use for data that is there already, and not for what steps hand to one another."""
    name, place = str(volume.get("name", "?")), str(volume.get("mount_point", "?"))
    field = f"volumes[{name}]"
    if volume.get("type") in ("new_pvc", "pv", "clone", "snapshot"):
        why = f"a {volume['type']} at {place} for what steps exchange: values and files are handed on through the registry"
        wishes.account.not_needed(field, why)
        return
    wishes.put(field, "volumes", [{"mount": place, "claim": name}])
    for key in ("snapshot", "expose_as_env_var"):
        if volume.get(key):
            wishes.account.not_needed(f"{field}.{key}", "Kale does not use it")


def _katib(katib: Mapping[str, Any], wishes: Wishes) -> None:
    """A search over parameters: its spaces are said as the lists that a fan-out takes."""
    spaces: dict[str, Any] = {}
    for parameter in objects(katib.get("parameters")):
        if parameter.get("name"):
            spaces[str(parameter["name"])] = _space(str(parameter.get("parameterType")), mapping(parameter.get("feasibleSpace")))
    objective = mapping(katib.get("objective"))
    goal = f"{objective.get('type', 'optimise')} {objective.get('objectiveMetricName', 'the metric')}"
    algorithm = mapping(katib.get("algorithm")).get("algorithmName", "?")
    trials = katib.get("maxTrialCount", "?")
    what = f"no search is run ({goal}, algorithm {algorithm}, {trials} trials); its spaces are {json.dumps(spaces)}"
    listed = {name: values for name, values in spaces.items() if isinstance(values, list)}
    if len(listed) == 1 == len(spaces):
        fix = f'Let the step that trains run once for each: {{"mlops": {{"each": {json.dumps(listed)}}}}}'
    else:
        first = next(iter(listed), "NAME")
        each = json.dumps({first: listed.get(first, ["…"])})
        hint = f'{{"mlops": {{"each": {each}}}}}'
        fix = f"Let the step that trains run once for each value, {hint}, or for each of a list of combinations."
    wishes.account.lost("katib_metadata", what, fix)


def _space(kind: str, space: Mapping[str, Any]) -> Any:
    """A list of values where the space is one, else its bounds."""
    listed = space.get("list")
    number: Callable[[Any], Any] = int if kind == "int" else float if kind == "double" else str
    try:
        if isinstance(listed, Sequence) and not isinstance(listed, str) and listed:
            return [number(value) for value in listed]
        low, high = number(space["min"]), number(space["max"])
        step = number(space.get("step") or (1 if kind == "int" else 0))
        count = int((high - low) / step + 1e-9) + 1 if step else 0
    except (KeyError, ValueError, TypeError):
        return dict(space)
    return [round(low + place * step, 12) for place in range(count)] if 0 < count <= LISTED else {"min": low, "max": high}
