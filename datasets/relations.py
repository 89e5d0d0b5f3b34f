"""How a message of a user can relate to the ones before it."""

FIRST = "first"
"""The user's first message of a conversation, by definition."""

RELATIONS = (FIRST, "extend", "re_attempt", "variation", "new_request")
"""All relations, as published."""
