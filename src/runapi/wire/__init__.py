"""Floor 2: bytes <-> meaning, sans-IO. One folder per dialect, each with request, reply and stream."""
