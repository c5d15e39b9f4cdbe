"""A department's Values Week, from the files that schools send to verified badges: data made by rule, and the job."""
