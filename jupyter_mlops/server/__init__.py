"""The Jupyter Server extension: the REST interface of ``api.yaml``, events, and the front door of services.

Importing the package imports nothing; ``app`` is imported by Jupyter Server alone.
"""
