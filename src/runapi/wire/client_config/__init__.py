"""The configuration of clients, pure: a file's old text and what we offer, to its new text."""
