"""A plain HTTP client of ``/v2/``, for tests that look at each answer."""

import hashlib
import http.client
import json
from urllib.parse import urlsplit

from jupyter_mlops.oci.names import OCI_MANIFEST

KIND = "application/vnd.example.v1+json"
ABSENT = "sha256:" + 64 * "0"


class Client:
    """One HTTP client, one request a connection."""

    def __init__(self, address):
        self.host = urlsplit(address).netloc

    def __call__(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def push(self, data, name="a"):
        answer, _ = self("POST", f"/v2/{name}/blobs/uploads/?digest={digest(data)}", data)
        assert answer.status == 201
        return {"mediaType": KIND, "digest": digest(data), "size": len(data)}

    def put(self, document, reference, name="a", media_type=OCI_MANIFEST):
        return self(
            "PUT",
            f"/v2/{name}/manifests/{reference}",
            document if isinstance(document, bytes) else json.dumps(document),
            Content_Type=media_type,
        )


def digest(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def code(answer):
    return json.loads(answer[1])["errors"][0]["code"]


def left(root):
    """Files of uploads that are not finished."""
    return [path.name for folder in ("_uploads", "_sessions") for path in (root / folder).glob("*")]
