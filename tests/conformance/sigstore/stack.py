"""A sigstore of one's own on loopback: its authority, log, clock and identity provider, and the trust configuration that names them.

python -m tests.conformance.sigstore.stack FOLDER     runs it until Enter is pressed, to try signing by hand
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from jupyter_mlops.testing.registries import free_port

HERE = Path(__file__).parent
MODULES = {
    "ctlog": "./ctlog",
    "fulcio": "github.com/sigstore/fulcio",
    "posix": "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix",
    "clock": "./clock",
}
READY = 60.0
"""Seconds that a server may take to answer."""


def build(folder: Path) -> str:
    """Build the programs into a folder; what Go says where it cannot."""
    command = ["go", "build", "-mod=readonly", "-o", f"{folder}{os.sep}", *MODULES.values()]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr


class Provider:
    """An identity provider (OpenID Connect): says who somebody is, to whoever knows its key."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._key = ec.generate_private_key(ec.SECP256R1())
        documents = {"/.well-known/openid-configuration": self._about(), "/keys": self._keys()}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = documents.get(self.path)
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(found or {}).encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def token(self, who: str, *, lasts: float = 600, audience: str = "sigstore", verified: bool = True) -> str:
        """Who somebody is, signed."""
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": audience, "sub": f"id-of-{who}", "email": who, "email_verified": verified,
            "iat": now - 5, "nbf": now - 5, "exp": now + int(lasts),
        }  # fmt: skip
        return str(jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "one"}))

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _about(self) -> dict[str, Any]:
        return {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/auth", "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys", "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }  # fmt: skip

    def _keys(self) -> dict[str, Any]:
        numbers = self._key.public_key().public_numbers()
        x, y = (base64.urlsafe_b64encode(each.to_bytes(32, "big")).rstrip(b"=").decode() for each in (numbers.x, numbers.y))
        return {"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one", "x": x, "y": y}]}


@dataclass
class Sigstore:
    """What runs, and where its trust configuration is."""

    provider: Provider
    config: Path
    servers: dict[str, subprocess.Popen[bytes]]


@contextmanager
def sigstore(programs: Path, folder: Path) -> Iterator[Sigstore]:
    """Run all of it while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("provider", "ct", "fulcio", "fulcio grpc", "fulcio metrics", "rekor", "rekor grpc", "rekor metrics", "tsa")
    ports = {name: free_port() for name in names}
    url = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    keys = {name: _key(folder / f"{name}.pem") for name in ("ct", "rekor")}
    provider = Provider(ports["provider"])
    issuer = {"IssuerURL": provider.url, "ClientID": "sigstore", "Type": "email"}
    (folder / "fulcio.json").write_text(json.dumps({"OIDCIssuers": {provider.url: issuer}}))
    commands = {
        "ct": ["ctlog", "-listen", f"127.0.0.1:{ports['ct']}", "-key", str(folder / "ct.pem")],
        "tsa": ["clock", "-port", str(ports["tsa"])],
        "rekor": ["posix", "serve", "--http-port", str(ports["rekor"]), "--grpc-port", str(ports["rekor grpc"]),
                  "--http-metrics-port", str(ports["rekor metrics"]), "--hostname", "127.0.0.1", "--storage-dir",
                  str(folder / "log"), "--signer-filepath", str(folder / "rekor.pem"), "--checkpoint-interval", "1s",
                  "--batch-max-age", "50ms"],
        "fulcio": ["fulcio", "serve", "--host", "127.0.0.1", "--port", str(ports["fulcio"]), "--grpc-host", "127.0.0.1",
                   "--grpc-port", str(ports["fulcio grpc"]), "--metrics-port", str(ports["fulcio metrics"]),
                   "--legacy-unix-domain-socket", f"@fulcio-{ports['fulcio']}", "--ca", "ephemeralca",
                   "--ct-log-url", url["ct"], "--config-path", str(folder / "fulcio.json")],
    }  # fmt: skip
    with ExitStack() as stack:
        stack.callback(provider.close)
        servers = {}
        for name, (program, *words) in commands.items():
            out = stack.enter_context((folder / f"{name}.log").open("wb"))
            servers[name] = subprocess.Popen(
                [programs / program, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
            stack.callback(_stop, servers[name])
        authority = json.loads(_answer(f"{url['fulcio']}/api/v2/trustBundle", folder / "fulcio.log"))["chains"][0]["certificates"]
        clock = _answer(f"{url['tsa']}/api/v1/timestamp/certchain", folder / "tsa.log")
        _answer(f"{url['rekor']}/healthz", folder / "rekor.log")
        config = folder / "trust-config.json"
        config.write_text(json.dumps(_config(url, keys, authority, clock), indent=1))
        yield Sigstore(provider, config, servers)


def _config(url: dict[str, str], keys: dict[str, bytes], authority: list[str], clock: bytes) -> dict[str, Any]:
    """A ClientTrustConfig, as its operator would hand it out."""
    start = {"start": "2026-01-01T00:00:00Z"}

    def log(name: str, base: str) -> dict[str, Any]:
        key = {"rawBytes": _text(keys[name]), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": start}
        return {"baseUrl": base, "hashAlgorithm": "SHA2_256", "publicKey": key,
                "logId": {"keyId": _text(hashlib.sha256(keys[name]).digest())}}  # fmt: skip

    def chain(uri: str, pem: bytes) -> dict[str, Any]:
        found = [{"rawBytes": _text(each.public_bytes(Encoding.DER))} for each in x509.load_pem_x509_certificates(pem)]
        return {"subject": {"organization": "test", "commonName": "test"}, "uri": uri, "certChain": {"certificates": found},
                "validFor": start}  # fmt: skip

    def service(at: str, version: int) -> list[dict[str, Any]]:
        return [{"url": at, "majorApiVersion": version, "validFor": start, "operator": "test"}]

    clock_url = f"{url['tsa']}/api/v1/timestamp"
    return {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log("rekor", url["rekor"])], "ctlogs": [log("ct", url["ct"])],
            "certificateAuthorities": [chain(url["fulcio"], "".join(authority).encode())],
            "timestampAuthorities": [chain(clock_url, clock)],
        },
        "signingConfig": {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": service(url["fulcio"], 1), "oidcUrls": service(url["provider"], 1), "rekorTlogUrls": service(url["rekor"], 2),
            "tsaUrls": service(clock_url, 1), "rekorTlogConfig": {"selector": "ANY"}, "tsaConfig": {"selector": "ANY"},
        },
    }  # fmt: skip


def _key(path: Path) -> bytes:
    """Write a new key; its public half in DER form."""
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _answer(url: str, log: Path) -> bytes:
    """What a server answers as soon as it does."""
    end = time.monotonic() + READY
    while time.monotonic() < end:
        try:
            found = requests.get(url, timeout=5)
            if found.ok:
                return found.content
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{url} did not answer: {log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    here = Path(sys.argv[1]).resolve()
    (here / "bin").mkdir(parents=True, exist_ok=True)
    if failure := build(here / "bin"):
        sys.exit(failure)
    with sigstore(here / "bin", here / "run") as one:
        print(f"--trust-config {one.config} --issuer {one.provider.url}")
        print(f"export SIGSTORE_ID_TOKEN={one.provider.token('me@example.org', lasts=3600)}")
        input("Enter stops it. ")
