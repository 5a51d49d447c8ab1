"""Reports: what a run and a plan look like to a reader."""
