"""Notifications: rules that people keep, where they want to hear, and what they were told."""
