"""Why something on a cluster waits or failed: one sentence, who can change it, and how.

Pure: documents in, a ``Cause`` out. Engine and serving adapters gather the documents (Workflow or InferenceService, pods,
events) and show what comes back, with the raw facts one click away.
"""
