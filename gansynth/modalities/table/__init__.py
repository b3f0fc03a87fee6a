"""Tables: kinds of columns, cells, codec."""
