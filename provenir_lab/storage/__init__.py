"""Documents and rows to and from databases; knows no XML."""
