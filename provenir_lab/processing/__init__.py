"""The work: documents through mapping into storage."""
