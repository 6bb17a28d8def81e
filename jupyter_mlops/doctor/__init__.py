"""The doctor: what of this machine is in order, and one line of what to do about each thing that is not."""
