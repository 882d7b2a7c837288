"""Stands for the Spark of a job's compute: as much of it as a project asks for that reads a Delta table."""
