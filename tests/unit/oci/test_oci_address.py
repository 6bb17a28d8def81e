"""Addresses, proxies and certificates: what may be written, and what is said of the rest."""

import pytest

from jupyter_mlops.errors import PlatformError, WrongUsage
from jupyter_mlops.oci.catalog import entered, tag_of
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.oci.marker import put_marker
from jupyter_mlops.oci.open import open_store
from jupyter_mlops.oci.proxy import Proxy, proxy_for
from jupyter_mlops.oci.reference import is_tag
from jupyter_mlops.oci.trust import context


@pytest.mark.parametrize(
    "address", ["http://reg", "https://reg:5000", "https://reg/org/project/", "http://[::1]:5000", "file:///a%20b"]
)
def test_addresses(address):
    assert open_store(address).address.rstrip("/") == address.rstrip("/")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reg:5000",
        "ftp://reg",
        "https://",
        "https:///a",
        "https://reg:port",
        "https://reg:99999",
        "https://reg/Org",
        "https://reg/a?b=c",
        "https://reg/#x",
        "http://[::1",
        "file://elsewhere/a",
        "file:a",
        "oci://reg/a",
    ],
)
def test_what_is_no_address(address):
    with pytest.raises(WrongUsage) as refused:
        open_store(address)
    assert refused.value.code in {"invalid-address", "invalid-name"}
    assert refused.value.fix


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(WrongUsage) as refused:
        open_store("https://me:hush@reg/a")
    assert "hush" not in str(refused.value) + refused.value.fix


P = "http://proxy:3128"


@pytest.mark.parametrize(
    ("environ", "url", "expected"),
    [
        ({}, ("https", "reg", 443), None),
        ({"HTTPS_PROXY": P}, ("https", "reg", 443), Proxy("proxy", 3128)),
        ({"https_proxy": P, "HTTPS_PROXY": "http://other"}, ("https", "reg", 443), Proxy("proxy", 3128)),
        ({"HTTPS_PROXY": P}, ("http", "reg", 80), None),
        ({"HTTP_PROXY": "proxy"}, ("http", "reg", 80), Proxy("proxy", 80)),
        ({"HTTP_PROXY": "https://proxy"}, ("http", "reg", 80), Proxy("proxy", 443, tls=True)),
        ({"HTTPS_PROXY": P}, ("https", "localhost", 5000), None),
        ({"HTTPS_PROXY": P}, ("https", "127.0.0.1", 5000), None),
        ({"HTTPS_PROXY": P}, ("https", "::1", 5000), None),
        *(
            ({"HTTPS_PROXY": P, "NO_PROXY": no}, ("https", host, port), None if direct else Proxy("proxy", 3128))
            for no, host, port, direct in (
                ("*", "reg", 443, True),
                ("reg", "reg", 443, True),
                ("reg", "my.reg", 443, True),
                ("reg", "myreg", 443, False),
                (".example.org", "reg.example.org", 443, True),
                (".example.org", "example.org", 443, False),
                ("*.example.org", "reg.example.org", 443, True),
                ("a, REG ,b", "reg", 443, True),
                ("reg:5000", "reg", 5000, True),
                ("reg:5000", "reg", 443, False),
                ("10.0.0.0/8", "10.250.0.1", 5000, True),
                ("10.0.0.0/8", "11.0.0.1", 5000, False),
                ("10.250.0.1", "10.250.0.1", 5000, True),
                ("fd00::/8", "fd00::1", 5000, True),
                ("svc,cluster.local", "reg.ns.svc", 80, True),
            )
        ),
    ],
)
def test_proxies(environ, url, expected):
    assert proxy_for(*url, environ) == expected


def test_a_proxy_with_a_login_shows_no_secret():
    found = proxy_for("https", "reg", 443, {"HTTPS_PROXY": "http://me:hu%40sh@proxy:1"})
    assert found.headers == {"Proxy-Authorization": "Basic bWU6aHVAc2g="}
    assert "bWU6" not in repr(found)


@pytest.mark.parametrize("text", ["socks5://proxy", "http://", "http://proxy:port", "https://proxy"])
def test_a_proxy_that_cannot_be_used(text):
    with pytest.raises(WrongUsage) as refused:
        proxy_for("https", "reg", 443, {"HTTPS_PROXY": text})
    assert refused.value.code == "invalid-proxy"


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_of_certificates_that_is_none(tmp_path, content):
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PlatformError) as refused:
        context({"SSL_CERT_FILE": str(path)})
    assert refused.value.code == "ca-unreadable"
    assert str(path) in str(refused.value)


def test_a_context_is_made_once():
    assert context({}) is context({})


@pytest.mark.parametrize("name", ["models/churn", "a.b/c-d/e__f", "runs/" + "x" * 190])
def test_names_in_the_catalog_come_back(tmp_path, name):
    layout = Layout(tmp_path)
    assert is_tag(tag_of(name))
    put_marker(layout, "mlops/catalog", tag_of(name), name)
    assert entered(layout) == [name]
