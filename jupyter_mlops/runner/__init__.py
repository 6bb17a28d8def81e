"""What starts inside a step, anywhere: restores the session, runs the cells, captures, reports.

Travels in the bundle with ``session`` and ``oci``; imports nothing else of ours.
"""
