"""Why a container does not start although its image is there: configuration, command, devices, volumes of the kubelet's own."""

from __future__ import annotations

import re
from collections.abc import Callable

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import fact, name, words
from jupyter_mlops.diagnose.fetching import no_models, no_shell
from jupyter_mlops.diagnose.owner import Owner

REASONS = frozenset({
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun",
    "PreCreateHookError", "PreStartHookError", "PostStartHookError",
})  # fmt: skip
"""Reasons of a container, waiting or ended, that never ran."""

Make = Callable[[Owner, str, "re.Match[str]", str], Cause]


def start_cause(owner: Owner, container: str, reason: str, said: str) -> Cause:
    """The cause behind a container that could not be made or started."""
    about = fact(f"{owner.about}, container {name(container)}" if container else owner.about, reason, said)
    for pattern, make in _TABLE:
        if match := pattern.search(said):
            return make(owner, container, match, about)
    because = f": {words(_RUNTIME.sub('', said), 300)}" if said else ""
    message = f"{owner.who} cannot start: the cluster cannot start its container{because}"
    return Cause("container-start", message, "platform", "Show the cluster's own words (the facts) to an administrator.", (about,))


def missing_object(owner: Owner, said: str, about: str) -> Cause | None:
    """The cause where a Secret or ConfigMap, or a key of one, is not there; None where the text says something else."""
    if match := _MISSING.search(said):
        return _no_object(owner, "", match, about)
    if match := _NO_KEY.search(said):
        return _no_key(owner, "", match, about)
    return None


def _no_object(owner: Owner, _container: str, match: re.Match[str], about: str) -> Cause:
    kind, called = "secret" if match[1].lower().startswith("secret") else "configmap", name(match[2]).rpartition("/")[2]
    place = f"the namespace {owner.namespace}" if owner.namespace else "its namespace"
    space = f" -n {owner.namespace}" if owner.namespace else ""
    message = f"{owner.who} cannot start: there is no {'secret' if kind == 'secret' else 'ConfigMap'} '{called}' in {place}"
    if kind == "secret":
        fix = (
            f"Create it (`kubectl create secret generic {called}{space} --from-literal=KEY=VALUE`), or correct its "
            f"name{_where(owner)}."
        )
        return Cause("secret-missing", message, "user", fix, (about,), final=True)
    fix = f"Create it (`kubectl create configmap {called}{space} --from-file=FILE`), or correct its name."
    return Cause("configmap-missing", message, "user", fix, (about,), final=True)


def _no_key(owner: Owner, _container: str, match: re.Match[str], about: str) -> Cause:
    key, kind, called = name(match[1]), match[2], name(match[3]).rpartition("/")[2]
    message = f"{owner.who} cannot start: the {'secret' if kind.lower() == 'secret' else 'ConfigMap'} '{called}' has no key '{key}'"
    if kind.lower() == "secret":
        fix = f"Add the key to it, or correct the key's name{_where(owner)}."
        return Cause("secret-missing", message, "user", fix, (about,), final=True)
    return Cause("configmap-missing", message, "user", "Add the key to it, or correct its name.", (about,), final=True)


def _where(owner: Owner) -> str:
    return " in the step's option `secrets`" if owner.kind == "step" else ""


def _no_program(owner: Owner, container: str, match: re.Match[str], about: str) -> Cause:
    program, image = name(match[1]), name(owner.container(container).get("image"))
    if container in {"modelcar-init", "modelcar"}:
        return no_shell(owner, about)
    which = f"the image {image}" if image else "its image"
    message = f"{owner.who} cannot start: {which} has no program '{program}'"
    needs = "Python 3.10 or newer and your packages" if owner.kind == "step" else "it"
    return Cause(
        "command-not-found", message, "user", f"Use an image that has {needs}: {owner.image_setting}.", (about,), final=True
    )


def _no_command(owner: Owner, _container: str, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: neither its container nor the image names a command to run"
    return Cause("image-command", message, "user", "Write the `command` of its container into the document.", (about,), final=True)


def _not_allowed(owner: Owner, container: str, match: re.Match[str], about: str) -> Cause:
    image = name(owner.container(container).get("image"))
    message = (
        f"{owner.who} cannot start: the program '{name(match[1])}' of {f'the image {image}' if image else 'its image'} may "
        f"not be run"
    )
    return Cause("command-not-found", message, "user", "Make it executable for every user in the image.", (about,), final=True)


def _architecture(owner: Owner, container: str, _match: re.Match[str], about: str) -> Cause:
    image = name(owner.container(container).get("image"))
    message = (
        f"{owner.who} cannot start: {f'the image {image}' if image else 'its image'} is made for another kind of processor "
        f"than its machine has"
    )
    fix = (
        f"Build it for the machine's processor (linux/amd64 or linux/arm64) or choose another; it is set in {owner.image_setting}."
    )
    return Cause("image-architecture", message, "user", fix, (about,), final=True)


def _root(owner: Owner, container: str, match: re.Match[str], about: str) -> Cause:
    image = name(owner.container(container).get("image"))
    user = "has a user without a number, who could be root" if "numeric" in match[0] else "runs as root"
    message = f"{owner.who} cannot start: {f'the image {image}' if image else 'its image'} {user}, which is not allowed here"
    fix = "Use an image whose USER is a number other than 0, or set runAsUser."
    return Cause("image-runs-as-root", message, "user", fix, (about,), final=True)


def _memory(owner: Owner, container: str, _match: re.Match[str], about: str) -> Cause:
    limit = owner.limit(container)
    message = f"{owner.who} cannot start: its memory limit{f' of {limit}' if limit else ''} is too small even to start a program"
    return Cause("out-of-memory", message, "user", owner.memory_fix("256Mi"), (about,), final=True)


def _device(owner: Owner, _container: str, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: the GPU of its machine cannot be used (driver or its container tools)"
    return Cause(
        "gpu-broken", message, "platform", "Run it again, perhaps on another machine, and tell an administrator.", (about,)
    )


def _no_models(owner: Owner, _container: str, _match: re.Match[str], about: str) -> Cause:
    return no_models(owner, about)


def _no_image_volumes(owner: Owner, _container: str, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: this cluster cannot mount a model's image (`oci+native://`), its containerd is too old"
    fix = "Deploy it in another way (`oci+fetch://`, or without a choice), or ask an administrator for containerd 2.1 or newer."
    return Cause("image-volumes-missing", message, "platform", fix, (about,), final=True)


def _folder(owner: Owner, _container: str, match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: its working folder '{name(match[1])}' is not in the image"
    return Cause(
        "working-folder",
        message,
        "user",
        f"Use another image ({owner.image_setting}), or another working folder.",
        (about,),
        final=True,
    )


def _mount_point(owner: Owner, _container: str, match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: nothing can be mounted at {name(match[1])}, since its image has a file in that place"
    return Cause("container-start", message, "user", "Mount it at another path.", (about,), final=True)


def _full(owner: Owner, _container: str, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot start: the disk of its machine is full"
    return Cause("storage-full", message, "platform", "An administrator frees space on that machine.", (about,))


def _slow(owner: Owner, _container: str, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} waits: its machine is slow to start the container and tries again"
    return Cause("machine-slow", message, "platform", "Wait; if it lasts, tell an administrator.", (about,))


_RUNTIME = re.compile(
    r"^(?:(?:failed to create (?:containerd|shim) task|OCI runtime create failed|runc create failed|error during container init"
    r"|unable to start container process|rpc error|failed to start container \S+): )+"
)
"""Layers of a container runtime's error above the one that tells something."""

_MISSING = re.compile(r"(secret|configmap|Secret|ConfigMap)s? \"([^\"]{1,300})\" not found")
_NO_KEY = re.compile(r"couldn't find key (\S{1,253}) in (Secret|ConfigMap) (\S{1,320})")
_TABLE: tuple[tuple[re.Pattern[str], Make], ...] = (
    (_MISSING, _no_object),
    (_NO_KEY, _no_key),
    (re.compile(r"image will run as root|non-numeric user"), _root),
    (re.compile(r"failed to ensure image subpath|ensure image subpath \"models\""), _no_models),
    (re.compile(r"failed to mkdir \"\": mkdir :|ImageVolume|image volume"), _no_image_volumes),
    (re.compile(r"exec format error"), _architecture),
    (re.compile(r"nvidia-container|CDI device|libnvidia|failed to inject devices|could not select device driver"), _device),
    (re.compile(r"container init was OOM-killed|memory limit too low|cannot allocate memory"), _memory),
    (re.compile(r"chdir to cwd \(\\?\"([^\"\\]{1,300})"), _folder),
    (re.compile(r"error mounting .{1,600} to rootfs at \\?\"([^\"\\]{1,300}).{0,600}(?i:not a directory)"), _mount_point),
    (re.compile(r"exec: \\?\"([^\"\\]{1,300})\\?\": (?:executable file not found|stat )"), _no_program),
    (re.compile(r"exec:? \\?\"?([^\"\\\s]{1,300})\\?\"?:? ?(?:no such file or directory|not found)"), _no_program),
    (re.compile(r"no command specified"), _no_command),
    (re.compile(r"exec: \\?\"([^\"\\]{1,300})\\?\": permission denied"), _not_allowed),
    (re.compile(r"no space left on device|disk quota exceeded"), _full),
    (re.compile(r"context deadline exceeded|failed to reserve container name|failed to sync \w+ cache"), _slow),
)  # fmt: skip
"""What a text says → its cause; the first match counts."""
