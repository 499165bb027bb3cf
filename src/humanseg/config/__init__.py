"""One strict configuration for command line, YAML files and Python."""
