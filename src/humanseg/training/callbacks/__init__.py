"""What watches a training: guards, log, checkpoints, progress."""
