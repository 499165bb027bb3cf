"""One engine per runtime, and the choice among them."""
