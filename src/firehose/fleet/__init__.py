"""The fleet room: what runs, what it says, what is expected of it. Its conclusions are ordinary events."""
