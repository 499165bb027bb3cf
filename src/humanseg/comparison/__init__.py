"""Many trainings under one plan."""
