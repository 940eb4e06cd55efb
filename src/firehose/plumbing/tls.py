"""What a client needs for TLS, from files that an operator named.

In: files. Out: a context. Errors: `Broken` (code 2) names the setting whose file cannot be read or holds no such thing.
"""

from __future__ import annotations

import ssl

from firehose.errors import Broken, words


def context(ca_file: str = "", cert_file: str = "", key_file: str = "") -> ssl.SSLContext:
    """ca_file: authorities instead of the system's. cert_file, key_file: our own certificate, and its key when that is
    in a file of its own."""
    try:
        made = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ValueError) as error:
        raise Broken(f"ca_file: {ca_file} cannot be used: {words(error)}", code=2) from None
    if cert_file:
        try:
            # Without a password here the library would ask for one at the terminal.
            made.load_cert_chain(cert_file, key_file or None, password=_no_password)
        except (OSError, ValueError) as error:
            files = f"cert_file: {cert_file}" + (f" with key_file: {key_file}" if key_file else "")
            raise Broken(f"{files} cannot be used: {words(error)}", code=2) from None
    return made


def _no_password() -> str:
    raise ValueError("the key has a password; take one without")
