"""The chapters of the report, one file each: rows, columns, words and figure together."""
