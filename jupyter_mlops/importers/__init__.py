"""Importers' room: what other tools wrote becomes an ordinary notebook, and nothing of it is dropped in silence."""
