"""The one module that imports ``kubernetes``, for what nobody should write again: how the official client connects.

Of the client we take two things, which are alike from version 26 to the newest: it turns a kubeconfig's user (certificates,
OpenID Connect and Google providers that refresh themselves) into a ``Configuration``, and a ``Configuration`` into a pool of
connections (certificates, names for TLS, proxies). What differs between versions (the signature of its calls, the types of
patches, field validation, models) is left alone: requests are made in ``wire.py``.

It is imported at the first request, not when a cluster is connected: listing contexts or starting a server must not cost the
half second and 50 MB that it takes.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from jupyter_mlops.cluster.base import Cluster
from jupyter_mlops.cluster.kubeconfig import Access, Context, contexts, find_access, kubeconfig_files
from jupyter_mlops.cluster.session import Identity, Session, identify
from jupyter_mlops.errors import NotAllowed, WrongUsage

__all__ = ["Context", "connect", "contexts"]

CONNECTIONS = 32
"""Connections kept open to one server: those of the pools of calls, and as many that watch or follow."""

_importing = threading.Lock()


def connect(context: str | None = None, namespace: str = "", environ: Mapping[str, str] = os.environ) -> Cluster:
    """A cluster by the name of its context. Nothing is sent yet, so a cluster that is away is told by the first call.

    Args:
        context: a context of the kubeconfig, or ``in-cluster``. None: the kubeconfig's current one, or else the pod's own
            service account.
        namespace: instead of the context's own.
        environ: environment that names the kubeconfig and reaches credential plugins.

    Raises:
        NotFound: no such context (``context-not-found``, which lists them), or none at all (``no-cluster``).
        WrongUsage: a kubeconfig that cannot be read (``kubeconfig-invalid``).
        NotAllowed: a kubeconfig that runs a program and that others can write to (``kubeconfig-not-private``).
    """
    from jupyter_mlops.cluster.api import ApiCluster

    access = find_access(context, environ)

    def open_again() -> Session:
        """A session with the credentials as they are now: the kubeconfig may have been written anew by a login."""
        return _open(find_access(access.context, environ), environ)

    return ApiCluster(access, open_again, namespace)


def _open(access: Access, environ: Mapping[str, str]) -> Session:
    """Log in and open a pool of connections."""
    with _importing:  # two threads that import a package for the first time may see it half made
        from kubernetes import client, config
    configuration = type.__call__(client.Configuration)  # not a copy of what other code of this process made the default
    identity = identify(access, environ)
    try:
        if "auth-provider" in access.user:
            files = os.pathsep.join(str(file) for file in kubeconfig_files(environ))
            config.load_kube_config(config_file=files, context=access.context, client_configuration=configuration)
        else:
            config.load_kube_config_from_dict(_document(access, identity), client_configuration=configuration)
    except config.ConfigException as error:
        raise WrongUsage(
            f"the context {access.context} cannot be used: {error}", code="kubeconfig-invalid", fix="Get the kubeconfig anew."
        ) from error
    except Exception as error:  # the providers raise whatever their libraries do
        raise NotAllowed(
            f"the login of the context {access.context} failed ({type(error).__name__})",
            code="cluster-login",
            fix="Log in to the cluster again; kubectl must work in a terminal.",
        ) from error
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.socket_options = _keep_alive()
    configuration.retries = False
    configuration.proxy, configuration.no_proxy = _proxy(access)
    pool = client.rest.RESTClientObject(configuration).pool_manager
    if access.cluster.get("tls-server-name"):
        pool.connection_pool_kw["server_hostname"] = str(access.cluster["tls-server-name"])

    def headers() -> Mapping[str, str]:
        """What logs in, asked anew for each request: a provider's token renews itself here."""
        settings = configuration.auth_settings().values()
        return {**{s["key"]: s["value"] for s in settings if s["in"] == "header" and s["value"]}, **identity.headers}

    return Session(pool, headers, identity.expires, identity.files)


def _proxy(access: Access) -> tuple[str | None, str]:
    """The proxy to go through and the hosts that need none: the newest client's rules, which older ones know in part.

    A proxy that the kubeconfig names is for this cluster, so that nothing else is asked, as with kubectl.
    """
    named = access.cluster.get("proxy-url")
    if named:
        return str(named), ""
    there = getproxies()
    return there.get(urlsplit(access.server).scheme) or there.get("all"), there.get("no", "")


def _document(access: Access, identity: Identity) -> dict[str, Any]:
    """A kubeconfig of one context, with nothing left to be found out."""
    name = access.context
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": dict(access.cluster)}],
        "users": [{"name": name, "user": dict(identity.user)}],
    }


def _keep_alive() -> list[tuple[int, int, int]]:
    """Options of a socket by which the kernel notices within about a minute that the other end is gone."""
    wanted = [("SO_KEEPALIVE", socket.SOL_SOCKET, 1), ("TCP_KEEPIDLE", socket.IPPROTO_TCP, 30)]
    wanted += [("TCP_KEEPINTVL", socket.IPPROTO_TCP, 10), ("TCP_KEEPCNT", socket.IPPROTO_TCP, 3)]
    found = [(level, getattr(socket, name), value) for name, level, value in wanted if hasattr(socket, name)]
    return [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), *found]
