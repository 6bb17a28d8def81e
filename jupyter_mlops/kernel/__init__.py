"""Magics and the live view of a run, for the kernel: they need no jupyter_server there. See ``magics.py``."""
