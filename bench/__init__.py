"""Measure the gateway beside nginx, a floor and the bare upstream: `python -m bench`."""
