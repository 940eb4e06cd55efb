"""What was recorded: the stores, the recorder that fills them, and replay from any cursor."""
