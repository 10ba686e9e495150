"""Floor 5: the HTTP edge. Parse, call one flow, render."""
