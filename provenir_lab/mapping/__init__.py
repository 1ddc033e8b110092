"""XML text to rows; knows no database."""
