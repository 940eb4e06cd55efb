"""Tools that know nothing of events."""
