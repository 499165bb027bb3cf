"""The page's images: which ones, at what size, in what order."""
