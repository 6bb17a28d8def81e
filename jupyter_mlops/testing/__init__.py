"""Shipped with the package: one conformance suite for each port, and what it takes to run them."""
