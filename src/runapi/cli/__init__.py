"""The command line. Modules that take long to import are loaded only by the commands that need them."""
