"""Floor 3: ways to pay. Empty until the ledger stands."""
