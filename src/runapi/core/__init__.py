"""Floor 1: pure decisions. No clock, chance, socket, framework or driver: they come in as arguments."""
