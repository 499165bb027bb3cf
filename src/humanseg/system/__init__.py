"""Files, locks, cores, memory and threads of the machine."""
