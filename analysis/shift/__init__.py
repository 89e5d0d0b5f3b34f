"""Semantic shift: how far a thought lies from the messages around it, as embeddings see it."""
