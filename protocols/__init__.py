"""What a fixed protocol asks of a run, and the manifests that name its samples."""
