"""What people keep: models, datasets and runs, on the blobs and manifests of ``oci``."""
