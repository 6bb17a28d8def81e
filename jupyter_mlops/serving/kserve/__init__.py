"""The port of serving on KServe.

Flow: ``facts`` (what the cluster can do) → ``modes`` (how the model gets into the pod, and why) → ``predictor`` (the document)
→ ``backend`` (the verbs) → ``scene`` and ``status`` (what became of it). ``bundle`` is what travels into the image, ``pull`` runs
in the pod.
"""
