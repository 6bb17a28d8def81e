"""Events: which run, model or service changed, so that panels ask again at once instead of often."""
