"""How anything becomes a page, a file, or a table in the terminal."""
