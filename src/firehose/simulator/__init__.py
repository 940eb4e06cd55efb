"""A small believable world that emits real bytes over real protocols, and an oracle that knows what it sent."""
