"""Runs Workflow manifests: the port (``base``), its adapters, and the one decoder that turns a Workflow into a ``Run``."""
