"""What is said in chat rooms: which room hears of an event, in which words, and how many lines become one."""
