"""Floor 3: the only SQL. Functions take a connection and return core types."""
