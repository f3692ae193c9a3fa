"""Ways by which mail systems hand over bounces: a pipe, a milter, LMTP and IMAP."""
