"""Blobs, manifests and tags by the rules of OCI, verified while they move. Travels into every step."""
