"""Whether the images of a pipeline's steps fit its notebook, as far as their registries tell before anything is submitted.

Another Python refuses the run, since no value could be handed on. Packages that are missing or of another version are told and
refuse nothing: a cell may install them, and the step looks for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jupyter_mlops.errors import Diagnostic, Refused, Where
from jupyter_mlops.pipeline.pipeline import Pipeline, Step
from jupyter_mlops.settings import DEFAULT_IMAGE, Settings, Target
from jupyter_mlops.targets.imagefacts import Facts, Looking
from jupyter_mlops.targets.imagetree import normal

WAIT = 1.0
"""Seconds that a run waits for registries at most."""

PATIENT = 60.0
"""Seconds for somebody who asks for nothing else."""

LISTED = 12
"""Packages named in a message at most."""

BROUGHT = frozenset({"pip", "setuptools", "wheel"})
"""What Python's own images may have, by their version."""

Environment = Mapping[str, Any]
"""``environment.json`` of a bundle."""


@dataclass(frozen=True)
class Images:
    """The images of a pipeline's steps for a target; reading begins when this is made."""

    target: Target
    pipeline: Pipeline
    looking: Mapping[str, Looking]

    def findings(self, environment: Environment | None, seconds: float = WAIT) -> tuple[Diagnostic, ...]:
        """What does not fit, each with the first cell of a step that it is about.

        Args:
            environment: what the notebook's kernel imports; None: packages are not compared.
            seconds: to wait for registries, all together.

        Raises:
            Refused: code ``python-mismatch``.
        """
        found: list[Diagnostic] = []
        for image, looking in self.looking.items():
            facts = looking.facts(seconds if not found else seconds / 2)
            self._check_python(image, facts)
            if environment is not None:
                found += self._packages(image, facts, environment)
        return (*found, *self._unset(environment))

    def told(self) -> list[dict[str, Any]]:
        """Each step's image as it is pulled, and what is known of it by now: ``images`` of a conversion's ``environment``."""
        said: dict[str, dict[str, Any]] = {}
        for step in self.pipeline.steps:
            image = image_of(step, self.target)
            own = DEFAULT_IMAGE.format(minor=self.pipeline.python)
            facts = (
                self.looking[image].facts(0)
                if image
                else Facts(self.pipeline.python, None, "no image is set: Python's own is taken")
            )
            known = {"python": facts.python or None, "packages": None if facts.packages is None else len(facts.packages)}
            one = said.setdefault(image, {"image": image or own, "steps": [], **known, "unread": facts.unread})
            one["steps"].append(step.name)
        return list(said.values())

    def _check_python(self, image: str, facts: Facts) -> None:
        wanted = self.pipeline.python
        if facts.python and wanted and facts.python != wanted:
            raise Refused(
                f"the notebook runs with Python {wanted}, and the image {image} has Python {facts.python}",
                code="python-mismatch",
                fix=f"Use an image with Python {wanted} (jupyter mlops targets set {self.target.name} image=…), "
                f"or a kernel with Python {facts.python}.",
                where=Where(self.pipeline.notebook),
            )

    def _unset(self, environment: Environment | None) -> list[Diagnostic]:
        """Of steps without an image: Python's own has nothing installed, which is known without asking for it."""
        steps = [] if self.target.local else [step for step in self.pipeline.steps if not image_of(step, self.target)]
        if environment is None or not steps:
            return []
        own = DEFAULT_IMAGE.format(minor=self.pipeline.python)
        asked = [one for one in environment.get("distributions") or () if normal(str(one["name"])) not in BROUGHT]
        environment = {**environment, "distributions": asked}
        return [
            replace(found, message=f"no image is set for target {self.target.name}: {found.message}")
            for found in self._of_steps(own, steps, Facts(self.pipeline.python, {}), environment)
        ]

    def _packages(self, image: str, facts: Facts, environment: Environment) -> list[Diagnostic]:
        steps = [step for step in self.pipeline.steps if image_of(step, self.target) == image]
        return self._of_steps(image, steps, facts, environment)

    def _of_steps(self, image: str, steps: Sequence[Step], facts: Facts, environment: Environment) -> list[Diagnostic]:
        needs: Mapping[str, list[str]] = environment.get("steps") or {}
        wanted = {name for step in steps for name in needs.get(step.name, ())}
        first = next((step.cells[0] for step in steps if step.cells and needs.get(step.name)), None)
        if not wanted:
            return []
        if facts.packages is None:
            message = f"whether {image} has the notebook's packages is not known: {facts.unread}"
            return [Diagnostic("image-unread", "info", message, first, None, "Nothing to do: each step looks when it begins.")]
        missing, other = [], []
        for one in environment.get("distributions") or ():
            name, version = str(one["name"]), str(one["version"])
            if name not in wanted:
                continue
            there = facts.packages.get(normal(name))
            if there is None:
                missing.append(f"{name} {version}")
            elif there != version:
                other.append(f"{name} {there} for {version}")
        return [*_lacks(image, missing, first, installs=bool(environment.get("installs"))), *_differs(image, other, first)]


def images_of(settings: Settings, target: Target, pipeline: Pipeline) -> Images:
    """Begin to read the images that the steps name, or the target."""
    images = {image_of(step, target) for step in pipeline.steps} - {""}
    return Images(target, pipeline, {image: Looking(target, image, settings.storage.cache) for image in sorted(images)})


def image_of(step: Step, target: Target) -> str:
    """The image of a step; '' for Python's own of the pipeline's version, which nobody has set."""
    return step.options.image or target.image


def _lacks(image: str, missing: list[str], cell: int | None, *, installs: bool) -> list[Diagnostic]:
    if not missing:
        return []
    pinned = " ".join(one.replace(" ", "==") for one in missing[:LISTED])
    fix = f"Use an image that has them; in its build: pip install {pinned}"
    said = "; a cell of the notebook installs packages" if installs else ""
    return [Diagnostic("image-packages", "warning", f"{image} lacks {_listed(missing)}{said}", cell, None, fix)]


def _differs(image: str, other: list[str], cell: int | None) -> list[Diagnostic]:
    if not other:
        return []
    message = f"{image} has other versions than the notebook's kernel: {_listed(other)}"
    fix = "Build the image with the kernel's versions, if the results have to be the same."
    return [Diagnostic("image-packages", "warning", message, cell, None, fix)]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (" and more" if len(names) > LISTED else "")
