"""A pipeline becomes one Argo Workflow, as a document, as YAML, and checked before anyone sees it."""
