"""The engine on a cluster: Argo Workflows, asked through the Kubernetes API alone.

Nothing is kept here but caches: a run is its Workflow object, what its pods and events say, and what its steps left in the
registry. So a restarted server, a terminal and a notebook see the same runs.
"""
