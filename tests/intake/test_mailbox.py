"""New mail that a server tells of at an awkward moment."""

from __future__ import annotations

from imapclient import IMAPClient
from tests.servers.dovecot import PASSWORD, USER, Dovecot

from firehose.intake.mailbox import told


def test_mail_that_was_told_with_another_answer_is_not_waited_for(dovecot: Dovecot) -> None:
    with IMAPClient("127.0.0.1", dovecot.port, ssl=False) as client:
        client.login(USER, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        told(client)
        assert not told(client)
        dovecot.put(b"Subject: x\r\n\r\nx\r\n")
        client.search()  # the server tells of the mail with this answer, and not in IDLE again
        client.idle()
        assert told(client)
        client.idle_done()
