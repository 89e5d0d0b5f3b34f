"""What a set of conversations is like: counts, thoughts, who writes them, and what is wrong with them."""
