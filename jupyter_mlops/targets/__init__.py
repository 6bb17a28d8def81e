"""Targets: where a pipeline can run. They are found, checked and offered with their health; nobody has to configure one."""
