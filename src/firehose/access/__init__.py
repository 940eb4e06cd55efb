"""Who may what: tokens, scopes, audiences, audit."""
