"""Gets a step's bundle by digest, calls the runner."""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, B905, BLE001, D103, E401, I001, PERF203, PLR2004, PTH102, PTH103, PTH104, PTH112, PTH113, PTH118, PTH120, PTH123, RET503, S202, S310, T201
import hashlib, json, os, sys

AUTH = {"": None}
TRIES = 6


def get(url, auth):
    import time
    from urllib import request

    ask = request.Request(url, headers={"Accept": "application/vnd.oci.image.manifest.v1+json, */*"})
    if auth:
        ask.add_unredirected_header("Authorization", auth)
    if url[:6] == "https:" and not AUTH[""]:
        import ssl

        AUTH[""] = trust = ssl.create_default_context()
        file = ssl.get_default_verify_paths().openssl_cafile
        if os.path.isfile(file):
            trust.load_verify_locations(file)
    for n in range(TRIES):
        try:
            with request.urlopen(ask, timeout=60, context=AUTH[""]) as f:
                return f.read()
        except Exception as e:
            code = getattr(e, "code", 500)
            if n == TRIES - 1 or (code < 500 and code != 429):
                raise
            time.sleep(2**n / 2)


def login(want, at):
    import re
    from urllib.parse import urlencode

    auth = ""
    try:
        with open(os.environ["DOCKER_CONFIG"] + "/config.json") as f:
            auths = {re.sub("^https?://|/(v[12]/?)?$", "", k): v for k, v in json.load(f)["auths"].items()}
        while at and at not in auths:
            at = at.rpartition("/")[0]
        auth = "Basic " + auths[at]["auth"]
    except (KeyError, OSError, ValueError):
        pass
    if want[:6].lower() == "bearer":
        d = dict(re.findall(r'(\w+)="([^"]*)"', want))
        t = json.loads(get(d["realm"] + "?" + urlencode({k: d[k] for k in d if k != "realm"}), auth))
        auth = "Bearer " + (t.get("token") or t["access_token"])
    return auth


def fetch(registry, name, kind, digest):
    from urllib.parse import unquote, urlsplit

    u = urlsplit(registry)
    if u.scheme == "file":
        with open(f"{unquote(u.path)}/{name}/blobs/{digest.replace(':', '/')}", "rb") as f:
            data = f.read()
    else:
        url = f"{u.scheme}://{u.netloc}/v2{u.path.rstrip('/')}/{name}/{kind}/{digest}"
        try:
            data = get(url, AUTH.get(name))
        except OSError as e:
            if getattr(e, "code", 0) != 401:
                raise
            AUTH[name] = login(e.headers.get("WWW-Authenticate", ""), u.netloc + "/" + name)
            data = get(url, AUTH[name])
    if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{name}@{digest}: wrong bytes")
    return data


def unpack(registry, name, digest, target):
    import io, tarfile, tempfile

    above = os.path.dirname(target)
    os.makedirs(above, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=above) as fresh:
        b = fresh + "/b"
        os.mkdir(b)
        for layer in json.loads(fetch(registry, name, "manifests", digest))["layers"]:
            kind = layer["mediaType"]
            if ".ipython." in kind:
                continue
            data = fetch(registry, name, "blobs", layer["digest"])
            if ".tar" not in kind:
                with open(b + kind[11:], "wb") as f:
                    f.write(data)
                continue
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for m in tar:
                    if not (m.isreg() or m.isdir()) or m.name[:1] == "/" or ".." in m.name:
                        raise ValueError(f"bad member {m.name}")
                tar.extraction_filter = lambda m, _: m
                tar.extractall(b)
        try:
            os.rename(b, target)
        except OSError:
            if not os.path.isdir(target):
                raise


def start():
    argv = sys.argv[1:]
    option = dict(zip(argv[::2], argv[1::2]))
    try:
        name, _, digest = option["--bundle"].rpartition("@")
        target = os.path.join(os.environ.get("MLOPS_CACHE") or "/mlops/cache", "bundles", digest[7:])
        if not os.path.isdir(target):
            unpack(option["--registry"], name, digest, target)
        sys.path.insert(0, target + "/lib")
        from jupyter_mlops.runner.start import main
    except Exception as e:
        said = f"cannot load the bundle from {option.get('--registry')}: {type(e).__name__}: {e}"[:2000]
        print(said, file=sys.stderr)
        with open(os.environ.get("MLOPS_TERMINATION") or "/dev/termination-log", "w") as f:
            fix = "Check the registry's address and login."
            json.dump({"code": "no-bundle", "blame": "platform", "message": said, "fix": fix}, f)
        return 3
    return main(argv, target)


sys.exit(start())
