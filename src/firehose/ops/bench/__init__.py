"""Measurements of design section 13, each against a rival in the same run."""
