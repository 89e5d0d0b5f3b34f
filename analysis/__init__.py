"""What the logs say."""
