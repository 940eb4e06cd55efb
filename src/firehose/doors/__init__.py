"""Other people's interfaces, thin: their parameters become our queries, our events their answers. Routes: web/."""
