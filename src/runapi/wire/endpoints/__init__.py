"""The endpoints that are relayed: what each reads of its client, and the ways in which an upstream can be asked."""
