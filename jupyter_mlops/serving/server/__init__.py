"""The model server: one model, its own process, the interpreter that the model was trained with.

It needs the standard library, tornado, prometheus-client and ``jupyter_mlops.errors``, all pure Python, so that a folder
with these (``serving/local/bundle.py``) is all that an interpreter or an image must be given. What the model itself needs
is imported when it is loaded. Requests flow: ``app`` → ``handlers`` (V1, V2, health, repository, documents) → ``inputs``
(JSON → what the model takes) → ``model`` → ``outputs`` (what it gave → JSON).
"""
