"""Services on this machine: a supervisor process each, and a folder that both it and every backend can read.

``backend`` is the port's adapter; it writes what is wanted. ``supervisor`` runs detached, makes it so, and writes what is.
They meet in ``isvc.json`` alone, so that a closed terminal or a restarted Jupyter Server changes nothing.
"""
