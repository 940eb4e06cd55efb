"""Doors for readers that come by SSH."""
