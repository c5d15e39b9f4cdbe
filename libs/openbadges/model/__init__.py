"""What credentials, presentations and learner records are: data models, schemas, times, errors."""
