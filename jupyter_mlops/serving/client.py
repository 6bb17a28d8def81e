"""One HTTP call to a model server on this machine. Standard library, since it is called from kernels too."""

from __future__ import annotations

import http.client

from jupyter_mlops.errors import Unavailable, WrongUsage
from jupyter_mlops.serving.base import Request, Response

DROPPED = frozenset({
    "authorization", "connection", "content-length", "cookie", "host", "keep-alive", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "x-xsrftoken",
})  # fmt: skip
"""Headers that belong to one connection, or that are Jupyter's own secrets; they are never handed on."""


def send(host: str, port: int, token: str, request: Request, timeout: float) -> Response:
    """Send and read the whole answer.

    Raises:
        Unavailable: nobody answers within ``timeout`` seconds.
        WrongUsage: method, path or headers cannot be those of a request.
    """
    if not request.method.isalpha() or not request.path.startswith("/"):
        raise WrongUsage(f"{request.method} {request.path!r} is not a request", fix="Use a method like POST and a path from '/'.")
    headers = {name: value for name, value in request.headers.items() if name.lower() not in DROPPED}
    headers["Authorization"] = f"Bearer {token}"
    if request.body:
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request(request.method, request.path, body=request.body or None, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in DROPPED}
        return Response(answer.status, body, kept)
    except (ValueError, http.client.InvalidURL) as error:  # a line break in a path or header, found before anything is sent
        raise WrongUsage(f"the request cannot be sent: {error}", fix="Leave control characters out of path and headers.") from error
    except TimeoutError as error:
        raise Unavailable(f"the model server did not answer within {timeout:g} s", fix="Send fewer rows at a time.") from error
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(
            f"the model server does not answer: {error}", fix="Look at the log of the service, then try again."
        ) from error
    finally:
        connection.close()
