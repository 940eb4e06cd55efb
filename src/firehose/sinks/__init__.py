"""In which form events leave: one folder a way out, found by name from the settings."""
