"""Try to bend the money, and show that it does not: `python -m prove`."""
