"""The rows that say what a machine is: the contract between mapping, engine, twin and results."""
