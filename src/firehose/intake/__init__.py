"""How deliveries get here: doors, connections, and the gate that judges each delivery."""
