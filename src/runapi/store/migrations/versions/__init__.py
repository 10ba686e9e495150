"""One file a version, in order; a published one is never changed."""
