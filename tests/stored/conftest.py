from fakes.both_engines import database, engine_url, postgres

__all__ = ["database", "engine_url", "postgres"]
