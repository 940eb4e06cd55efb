"""What foreign events mean: one folder a service, found by name from the settings."""
