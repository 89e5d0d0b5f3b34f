# inspect-evals-lint: ignore-file[IEFS003] -- a task is named as its file, which it would hide here
"""What a model is asked."""
