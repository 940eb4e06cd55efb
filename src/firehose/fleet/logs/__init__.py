"""The log room: lines are kept beside the stream; what they mean together goes into it, in few events."""
