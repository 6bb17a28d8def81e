"""Starts a step: gets its bundle by digest and calls the runner. At most 4 KB."""

# mypy: ignore-errors
# ruff: noqa: ANN001,ANN201,ANN202,B006,B905,BLE001,D103,E401,I001,PLR2004,PTH100,PTH103,PTH104,PTH112,PTH118,PTH120,PTH123,S310,S606,T201
import hashlib, json, os, sys


def get(url, host, seen={}):
    import re
    from urllib import error, parse, request

    def ask(url, auth):
        r = request.Request(url, headers={"Accept": "application/vnd.oci.image.manifest.v1+json, */*"})
        if auth:
            r.add_unredirected_header("Authorization", auth)
        with request.urlopen(r, timeout=60) as f:
            return f.read()

    try:
        return ask(url, seen.get(host))
    except error.HTTPError as e:
        want = e.headers.get("WWW-Authenticate", "")
        if e.code != 401 or host in seen:
            raise
    try:
        with open(os.environ["DOCKER_CONFIG"] + "/config.json") as f:
            d = json.load(f)["auths"]
        auth = "Basic " + (d.get(host) or d["https://" + host])["auth"]
    except (KeyError, OSError, ValueError):
        auth = ""
    if want[:6].lower() == "bearer":
        d = dict(re.findall(r'(\w+)="([^"]*)"', want))
        q = parse.urlencode({k: d[k] for k in ("service", "scope") if k in d})
        t = json.loads(ask(d["realm"] + "?" + q, auth))
        auth = "Bearer " + (t.get("token") or t["access_token"])
    seen[host] = auth
    return ask(url, auth)


def fetch(registry, name, digest, kind):
    from urllib.parse import unquote, urlsplit

    u = urlsplit(registry)
    if u.scheme == "file":
        with open(f"{unquote(u.path)}/{name}/blobs/{digest.replace(':', '/')}", "rb") as f:
            data = f.read()
    else:
        data = get(f"{u.scheme}://{u.netloc}/v2{u.path.rstrip('/')}/{name}/{kind}/{digest}", u.netloc)
    if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{name}@{digest}: wrong bytes")
    return data


def unpack(registry, name, digest, target):
    import io, shutil, tarfile, tempfile

    above = os.path.dirname(target)
    os.makedirs(above, exist_ok=True)
    fresh = tempfile.mkdtemp(dir=above)
    try:
        for layer in json.loads(fetch(registry, name, digest, "manifests"))["layers"]:
            data = fetch(registry, name, layer["digest"], "blobs")
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for m in tar:
                    path = os.path.join(fresh, m.name)
                    if not (m.isreg() or m.isdir()) or not os.path.abspath(path).startswith(fresh):
                        raise ValueError(f"bad member {m.name}")
                    os.makedirs(path if m.isdir() else os.path.dirname(path), exist_ok=True)
                    if m.isreg():
                        with open(path, "wb") as f:
                            f.write(tar.extractfile(m).read())
        os.rename(fresh, target)
    except OSError:
        if not os.path.isdir(target):
            raise
    finally:
        shutil.rmtree(fresh, True)


def start():
    if "PYTHONHASHSEED" not in os.environ:
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    argv = sys.argv[1:]
    option = dict(zip(argv[::2], argv[1::2]))
    try:
        name, _, digest = option["--bundle"].rpartition("@")
        target = os.path.join(os.environ.get("MLOPS_CACHE") or "/mlops/cache", "bundles", digest[7:])
        if not os.path.isdir(target):
            unpack(option["--registry"], name, digest, target)
        sys.path.insert(0, target + "/lib")
        from jupyter_mlops.runner.main import main
    except Exception as e:
        said = {"code": "no-bundle", "blame": "platform", "fix": "Check that the registry can be reached."}
        said["message"] = f"cannot load the bundle: {type(e).__name__}: {e}"[:2000]
        print(said, file=sys.stderr)
        with open(os.environ.get("MLOPS_TERMINATION") or "/dev/termination-log", "w") as f:
            json.dump(said, f)
        return 3
    return main(argv, target)


sys.exit(start())
