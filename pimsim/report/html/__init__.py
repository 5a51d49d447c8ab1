"""A result, or several beside one another, as one HTML page that needs nothing else."""
