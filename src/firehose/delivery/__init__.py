"""How events leave: for each sink a cursor, lanes, retries, dead letters and books."""
