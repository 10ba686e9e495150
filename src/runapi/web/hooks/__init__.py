"""Doors for other services, who prove by a signature who they are."""
