"""What a registry's refusal means: our error, with its own words, whose right or room is missing, and what to do."""

from __future__ import annotations

import http.client
import json
from typing import NamedTuple

from jupyter_mlops.errors import Corrupt, MlopsError, NotAllowed, NotFound, PlatformError, StorageFull, WrongUsage
from jupyter_mlops.oci.connection import Answer

_RIGHTS = {"GET": "pull from", "HEAD": "pull from", "DELETE": "delete from"}
_FULL = ("quota", "no space left", '"err":28', "insufficient storage")
_TLS_WANTED = ("http request to an https server", "plain http request was sent to https port")


class Words(NamedTuple):
    """What a registry said: ``code`` as the specification names it (``MANIFEST_UNKNOWN``, …; '' if none)."""

    status: int
    code: str
    text: str
    raw: str


def words_of(answer: Answer) -> Words:
    """What an answer says, in one line; closes it. A body that cannot be read says nothing."""
    try:
        with answer:
            raw = answer.read(65536).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        raw = ""
    try:
        error = json.loads(raw)["errors"][0]
        code, text = str(error.get("code") or ""), str(error.get("message") or error.get("code") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        code, text = "", ""
    return Words(answer.status, code.upper(), f"{answer.status} {text or answer.reason}"[:500], raw)


def refusal(said: Words, method: str, url: str, why: str = "") -> MlopsError:
    """The error for a status of 400 or more.

    Args:
        said: the registry's words.
        method: the verb of the request.
        url: what was asked; the query, which can hold a signature, is not shown.
        why: about the login that was used, where there is something to say.
    """
    place = url.partition("?")[0]
    what = f"{method} {place}: {said.text}"
    right = _RIGHTS.get(method, "push to")
    host = place.split("/")[2]
    hint = f" {why}" if why else ""
    if said.status == 401:  # noqa: PLR2004 - unauthorized
        return NotAllowed(
            f"no login for {host} with the right to {right} it: {what}.{hint}",
            code="registry-login",
            fix=f"Log in: docker login {host}; in a cluster, name a pull secret that holds a login for {host}.",
        )
    if is_full(said):
        return StorageFull(what, fix="Free some space in the registry, or ask for a larger quota.")
    if said.status == 403:  # noqa: PLR2004 - forbidden
        return NotAllowed(
            f"the login for {host} lacks the right to {right} {_repository(place)}: {said.text}.{hint}",
            code="registry-forbidden",
            fix=f"Ask for the right to {right} it, or log in as somebody who has it: docker login {host}",
        )
    if said.status == 404 or said.code.endswith("_UNKNOWN"):  # noqa: PLR2004 - not found
        return NotFound(what, code="not-in-registry", fix="It was deleted, or never pushed there.")
    if said.status >= 500:  # noqa: PLR2004 - errors of the server
        return PlatformError(what, fix="Look into the registry's log.")
    return _client_error(said, method, what, host)


def _client_error(said: Words, method: str, what: str, host: str) -> MlopsError:
    """The rest of 4xx. Some answer to a tag that is to be deleted that it is no digest: they delete by digest alone."""
    if said.status == 405 or said.code == "UNSUPPORTED" or (method == "DELETE" and said.code == "DIGEST_INVALID"):  # noqa: PLR2004
        return WrongUsage(what, code="registry-unsupported", fix="The registry does not offer this, or it is switched off there.")
    if said.code == "DIGEST_INVALID":
        return Corrupt(f"{what}: the bytes changed on their way", fix="Try again; if it happens twice, check what is in between.")
    if any(text in said.raw.lower() for text in _TLS_WANTED):
        return WrongUsage(f"{host} speaks HTTPS: {what}", code="registry-tls", fix="Let the address start with https://.")
    return WrongUsage(what, code="registry-refused", fix="The registry does not take this.")


def is_full(said: Words) -> bool:
    """Whether the registry has no room, whatever status it says that with: trying again does not help."""
    raw = said.raw.lower().replace(" ", "") if said.status >= 400 else ""  # noqa: PLR2004 - all errors are above
    return said.status == 507 or any(text.replace(" ", "") in raw for text in _FULL)  # noqa: PLR2004 - insufficient storage


def _repository(place: str) -> str:
    """The repository of a URL of the registry."""
    path = place.partition("/v2/")[2]
    for verb in ("/blobs/", "/manifests/", "/tags/", "/referrers/"):
        path = path.partition(verb)[0]
    return path or "it"
