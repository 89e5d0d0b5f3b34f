"""A conversation and its thoughts, where they come from, and the Inspect samples cut from them."""
