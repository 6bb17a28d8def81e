"""A Kubernetes cluster, as far as this product needs one.

``base.py`` is the port, ``client.py`` the one module that imports ``kubernetes``. Whoever talks to a cluster takes a
``Cluster`` and gets plain documents and errors of ours.
"""
