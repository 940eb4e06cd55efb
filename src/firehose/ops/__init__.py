"""The operator's room: doctor, bench, explain, quarantine."""
