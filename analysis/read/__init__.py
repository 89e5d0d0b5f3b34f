"""Read logs, ratings and annotations into typed rows: the only code of the analysis that opens files of runs."""
