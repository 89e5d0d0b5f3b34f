"""Score answers: rubrics and judges, forms, and embedding similarity."""
