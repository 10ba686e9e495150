"""Floor 3: outgoing mail. Empty until there are people to write to."""
