"""From an image to a mask, without torch: what users get and what evaluation measures."""
