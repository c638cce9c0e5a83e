"""A small network with what ports get wrong, and the wrong ports of it."""
