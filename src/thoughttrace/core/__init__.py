"""What all other rooms stand on: errors, the log contract, published numbers, prices, model names."""
