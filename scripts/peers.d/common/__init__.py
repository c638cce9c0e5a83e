"""What the peers share: the generated cases and the files that hold what a peer makes of them."""
