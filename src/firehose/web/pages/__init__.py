"""The pages: complete HTML from the server, made live by small scripts."""
