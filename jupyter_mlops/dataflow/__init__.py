"""What flows between the cells of a notebook, read off their source: the plan's knowledge, never a value's."""
