"""The state between steps: what the names of a notebook hold, and what its process has been told.

A step runs in a process of its own, and the notebook must not notice. ``transfer`` moves names, ``carriers`` move the
process (random generators, options, environment), ``files`` moves the working folder; ``state`` is the document they write.
"""
