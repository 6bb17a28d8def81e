"""The target's certificates besides the image's."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.runner import certificates
from jupyter_mlops.runner.certificates import add_certificates

CASES = [
    ({}, None, None),
    ({"SSL_CERT_FILE": "/own.pem"}, "/own.pem", None),
    ({"SSL_CERT_FILE": "MOUNT/ca.crt"}, "both", "both"),
    ({"SSL_CERT_FILE": "MOUNT/ca.crt", "REQUESTS_CA_BUNDLE": "/mine"}, "both", "/mine"),
]


@pytest.mark.parametrize(("given", "file", "bundle"), CASES)
def test_both_variables(given: dict[str, str], file: str | None, bundle: str | None, tmp_path: Path) -> None:
    mount = tmp_path / "ca"
    mount.mkdir()
    (mount / "ca.crt").write_text("OURS\n")
    environ = {name: value.replace("MOUNT", str(mount)) for name, value in given.items()}
    add_certificates(tmp_path / "cache", environ, f"{mount}/")
    both = str(tmp_path / "cache" / "certificates.pem")
    assert (environ.get("SSL_CERT_FILE"), environ.get("REQUESTS_CA_BUNDLE")) == tuple(
        both if x == "both" else x for x in (file, bundle)
    )
    if file == "both":
        assert Path(both).read_bytes() == certificates._system() + b"\nOURS\n"


def test_the_images_own_are_found_wherever_it_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "system.pem").write_bytes(b"SYSTEM")
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: type("P", (), {"openssl_cafile": "/nowhere"}))
    monkeypatch.setattr(certificates, "_SYSTEM", ("/nowhere/else", str(tmp_path / "system.pem")))
    assert certificates._system() == b"SYSTEM"
    monkeypatch.setattr(certificates, "_SYSTEM", ())
    assert b"CERTIFICATE" in certificates._system(), "of the certifi package"
    monkeypatch.setattr(certificates.importlib.util, "find_spec", lambda _: None)
    assert certificates._system() == b""
