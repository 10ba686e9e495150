"""Floor 4: what the product does, one verb per file; the only place that joins pure code and I/O."""
