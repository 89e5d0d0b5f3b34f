"""Results: one record of each system measured, its card, and the leaderboard made of such records."""
