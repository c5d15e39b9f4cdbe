"""Evidence: takes evidence in, row by row, and tells what became of it."""
