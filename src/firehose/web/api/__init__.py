"""The read API, `/v1/…`: one file a subject. Programs rely on it; pages have addresses of their own."""
