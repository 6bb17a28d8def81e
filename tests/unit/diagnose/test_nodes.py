"""What a node of Argo says, word by word: the texts that were seen on 3.6, 3.7 and 4.0, and those of Argo's source."""

from __future__ import annotations

import pytest

from jupyter_mlops.diagnose.node import node_cause
from jupyter_mlops.diagnose.owner import Owner
from tests.unit.diagnose.making import says

STEP = Owner("step", "train", "ml")
PULL = 'ImagePullBackOff: Back-off pulling image "R/nope:1": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "R/nope:1": failed to resolve image: R/nope:1: not found'
ENTRY = (
    'failed to look-up entrypoint/cmd for image "R/nope:1", you must either explicitly specify the command, or list the image\'s command in the index: '
    "https://argo-workflows.readthedocs.io/en/latest/workflow-executors/#emissary-emissary: GET http://R/v2/nope/manifests/1: {why}"
)
RIGHT = (
    'Error (exit code 64): workflowtaskresults.argoproj.io is forbidden: User "system:serviceaccount:ml:default" cannot create resource '
    '"workflowtaskresults" in API group "argoproj.io" in the namespace "ml"'
)
NODES = "0/1 nodes are available: {why}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
TOLD = '{"code":"step-failed","blame":"user","message":"ValueError in cell 3, line 2: no","cell":3,"line":2,"fix":"look","traceback":["a","b"]}'

TEXTS = [
    # every row of the table of texts seen on a real cluster
    ("main: Error (exit code 3)", "step-failed", "user", ["step 'train' ended with exit code 3", "logs RUN --step train"]),
    ('main: Error (exit code 64): failed to find name in PATH: exec: "/no/such": stat /no/such: no such file or directory', "command-not-found", "user", ["'/no/such'", "Python 3.10"]),
    ("main: OOMKilled (exit code 137)", "out-of-memory", "user", ["memory"]),
    (PULL, "image-not-found", "user", ["R/nope:1 does not exist"]),
    (PULL.replace('ImagePullBackOff: Back-off pulling image "R/nope:1": ', ""), "image-not-found", "user", ["R/nope:1"]),
    ('ErrImagePull: failed to pull and unpack image "registry.example.com/nope:1": failed to resolve image: failed to do request: Head "https://registry.example.com/v2/nope/manifests/1": dial tcp: lookup registry.example.com on 10.96.0.10:53: connect: network is unreachable', "registry-unreachable", "platform", ["registry.example.com", "mirrors"]),
    ("error in entry template execution: " + ENTRY.format(why="MANIFEST_UNKNOWN: manifest unknown; map[Tag:1]"), "image-not-found", "user", ["R/nope:1"]),
    (ENTRY.format(why="MANIFEST_UNKNOWN: manifest unknown; map[Tag:1]"), "image-not-found", "user", ["R/nope:1"]),
    (ENTRY.format(why="UNAUTHORIZED: authentication required"), "image-command", "user", ["command"]),
    ("Unschedulable: " + NODES.format(why="1 Insufficient nvidia.com/gpu"), "no-gpu", "user", ["nvidia.com/gpu", "`gpu`"]),
    ("Unschedulable: " + NODES.format(why="1 Insufficient memory"), "no-room", "user", ["memory"]),
    ("Unschedulable: " + NODES.format(why="1 node(s) didn't match Pod's node affinity/selector"), "no-matching-machine", "user", ["node_selector"]),
    ('CreateContainerConfigError: secret "hf-token" not found', "secret-missing", "user", ["'hf-token'", "-n ml"]),
    ('Unschedulable: 0/1 nodes are available: persistentvolumeclaim "nothere" not found. not found', "volume-not-found", "user", ["nothere"]),
    ('error in entry template execution: pods "nosa" is forbidden: error looking up service account ml/ghost: serviceaccount "ghost" not found', "account-not-found", "user", ["'ghost'", "service_account"]),
    ("wait: " + RIGHT, "account-right-missing", "platform", ["'default'", "kubectl create role"]),
    ("pod deleted", "interrupted", "platform", ["retries"]),
    ("main: Error (exit code 143)", "interrupted", "platform", ["from outside"]),
    ("Step exceeded its deadline", "timeout", "user", ["`timeout`"]),
    ("error in entry template execution: timeout", "timeout", "user", ["`timeout`"]),
    ("invalid spec: templates.main.tasks.a template name 'nosuch' undefined", "workflow-invalid", "user", ["'nosuch'"]),
    # 3.6 leaves out the container's name
    ("Error (exit code 3)", "step-failed", "user", ["exit code 3"]),
    ('Error (exit code 64): failed to find name in PATH: exec: "/no/such": stat /no/such: no such file or directory', "command-not-found", "user", ["'/no/such'"]),
    ("OOMKilled (exit code 137)", "out-of-memory", "user", ["memory"]),
    (RIGHT, "account-right-missing", "platform", ["did its work"]),
    # the runner's own words come first
    ("main: Error (exit code 1): " + TOLD, "step-failed", "user", ["ValueError in cell 3, line 2: no", "look"]),
    ("Error (exit code 1): " + TOLD, "step-failed", "user", ["cell 3, line 2"]),
    ('main: Error (exit code 2): {"code":"python-mismatch","message":"the state is of Python 3.11","fix":"f","blame":"user"}', "python-mismatch", "user", ["Python 3.11"]),
    ('main: Error (exit code 3): {"code":"registry-login","message":"the registry asks who you are","blame":"platform"}', "registry-login", "platform", ["asks who you are"]),
    ('main: Error (exit code 1): {"message":"boom","cell":4,"line":1}', "step-failed", "user", ["boom (cell 4, line 1)"]),
    ('main: Error (exit code 1): {"code":"step-failed","message":"cut off', "step-failed", "user", ["exit code 1"]),
    # other ends
    ("main: Error (exit code 137)", "killed", "platform", ["137", "memory"]),
    ("main: Error (exit code 139)", "crashed", "user", ["segmentation fault"]),
    ("main: Error (exit code 134): free(): invalid pointer", "crashed", "user", ["abort"]),
    ("main: Error (exit code 127)", "command-not-found", "user", ["127"]),
    ("main: Error (exit code 1): OSError: [Errno 28] No space left on device", "storage-full", "user", ["disk"]),
    ("wait: Error (exit code 1): no idea", "platform-container", "platform", ["'wait' that Argo adds", "no idea"]),
    (
        'wait: Error (exit code 64): failed to put file: Get "http://s3.none:9000/logs/?location=": dial tcp: lookup s3.none: no such host',
        "log-archive",
        "platform",
        ["failed only because Argo could not keep its log", "lookup s3.none: no such host"],
    ),
    (
        "wait: Error (exit code 64): failed to create new S3 client: Endpoint: does not follow ip address or domain name standards.",
        "log-archive",
        "platform",
        ["artifact repository"],
    ),
    ("wait: Error (exit code 64): upload logs/w/w-1/main.log: googleapi: Error 403", "log-archive", "platform", ["Error 403"]),
    ("main: Error (exit code 1): failed to put file: the user's own words", "step-failed", "user", ["failed to put file"]),
    ("init: Error (exit code 1)", "platform-container", "platform", ["'init'"]),
    ("wait: OOMKilled (exit code 137)", "out-of-memory", "platform", ["'wait' that Argo adds"]),
    ("main: Error (exit code 64)", "platform-container", "platform", ["Argo"]),
    ("Pod was active on the node longer than the specified deadline", "timeout", "user", ["`timeout`"]),
    ("Max duration limit exceeded", "timeout", "user", []),
    ("The node was low on resource: memory. Threshold quantity: 100Mi, available: 3Mi. ", "evicted", "platform", ["memory"]),
    ("The node was low on resource: ephemeral-storage. Container main was using 10Gi, request is 0", "evicted", "platform", ["disk", "ephemeral-storage"]),
    ('Usage of EmptyDir volume "mlops" exceeds the limit "1Gi". ', "disk-limit", "user", ["disk"]),
    ("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", "disk-limit", "user", ["disk"]),
    ("Pod was terminated in response to imminent node shutdown.", "interrupted", "platform", ["machine was taken away"]),
    # what the controller keeps waiting
    ("Waiting for ml/Mutex/training lock. Lock status: 0/1", "waits-for-lock", "platform", ["the lock 'training'"]),
    ("Waiting for ml/ConfigMap/limits/gpu lock. Lock status: 0/2", "waits-for-lock", "platform", ["the semaphore 'gpu'", "0/2"]),
    ("Workflow processing has been postponed because too many workflows are already running", "too-many-runs", "platform", ["already running"]),
    ("resource creation rate-limit reached", "too-many-runs", "platform", ["a second"]),
    # size, and what is not valid
    ("workflow is longer than maximum allowed size. compressed size 1572865 > maxSize 1048576", "workflow-too-large", "user", ["1 MiB"]),
    ("offload node status is not supported", "workflow-too-large", "user", []),
    ("etcdserver: request is too large", "workflow-too-large", "user", []),
    ("invalid spec: templates.main.tasks.a templates.run failed to resolve {{inputs.parameters.x}}", "workflow-invalid", "user", ["failed to resolve"]),
    # pods that the API server does not take
    ('pods "q" is forbidden: exceeded quota: small, requested: requests.memory=1Gi, used: requests.memory=0, limited: requests.memory=512Mi', "quota", "platform", ["1Gi asked for, 0 of 512Mi in use", "`memory`"]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "code", "blame", "parts"), TEXTS, ids=[text[0][:60] for text in TEXTS])
def test_a_text_is_recognised(message: str, code: str, blame: str, parts: list[str]) -> None:
    cause = says(node_cause(STEP, message), code, parts, blame)
    facts = "\n".join(cause.facts)
    assert message[:60].strip() in facts or message.partition(": ")[2][:40] in facts


@pytest.mark.parametrize(
    "message",
    [
        "", " ", "PodInitializing", "ContainerCreating", "child 'churn-1' failed", "No more retries left", "retry exceeded",
        "Workflow shutdown", "omitted: depends condition not met", "when 'false' evaluated false", "something that nobody knows",
    ],
)  # fmt: skip
def test_words_that_tell_nothing_are_no_cause(message: str) -> None:
    assert node_cause(STEP, message) is None


def test_the_whole_run_is_named_where_no_step_is() -> None:
    cause = says(node_cause(Owner("run", "churn-x", "ml"), "Step exceeded its deadline"), "timeout")
    assert cause.message.startswith("run 'churn-x'")


def test_a_right_that_another_account_lacks_is_said_of_that_one() -> None:
    said = RIGHT.replace("ml:default", "team:runner")
    cause = says(node_cause(STEP, "wait: " + said), "account-right-missing", ["'runner'", "--serviceaccount=team:runner"])
    manifest = next(fact for fact in cause.facts if "RoleBinding" in fact)
    assert "name: runner, namespace: team" in manifest


def test_a_namespace_that_is_no_name_does_not_get_into_a_manifest() -> None:
    said = RIGHT.replace("ml:default", 'x\\n- evil:"')
    cause = node_cause(STEP, "wait: " + said)
    assert cause is None or "evil" not in "".join(fact for fact in cause.facts if "RoleBinding" in fact)
