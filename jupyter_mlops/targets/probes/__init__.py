"""What is asked about a target: one module a subject, each with its ``QUESTIONS``."""
