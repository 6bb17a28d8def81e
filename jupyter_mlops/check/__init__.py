"""``check``: runs a notebook both ways, as one kernel and as a pipeline, and says whether they are equal."""
