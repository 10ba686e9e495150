"""The ledger's rules, without a database: what an operation does to the books, or why it is refused.

`operations` says what can be asked and answered, `books` what the books are made of, `apply` does it, `chain` seals
each row to the one before it, `replay` checks all of it again from the rows alone.
"""
