"""Workbooks (.xlsx): a sheet read into rows in a worker process, cell by cell as what it is, and nothing guessed."""
