"""The operator's door: commands over HTTP on the same port, for who holds the token in server.json."""
