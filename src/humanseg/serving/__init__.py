"""An HTTP API and a page: everything that `predict` does, for browsers and other programs."""
