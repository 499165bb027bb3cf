"""Videos: read, segmented frame by frame, smoothed, written."""
