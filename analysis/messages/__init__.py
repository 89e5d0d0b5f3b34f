"""What the logs of `predict_message` say: how well the next message is predicted, and what thoughts add."""
