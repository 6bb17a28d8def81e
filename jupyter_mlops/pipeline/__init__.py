"""The planner's room: cells and their links become steps with parameters and options."""
