"""The ledger on disk: one transaction a batch, one writer a process, recovery, verification."""
