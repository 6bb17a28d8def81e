"""The local engine: runs the very Workflow that Argo would get, as processes of this machine.

One detached supervisor per run keeps the Workflow document with its status on disk, so that a closed terminal, a stopped
Jupyter Server or a second server beside it changes nothing about a run.
"""
