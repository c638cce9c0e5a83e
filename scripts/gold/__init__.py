"""Gold-YOLO-N in PyTorch and in Jittor: what either is left careless in, and how parity is asked about the two."""
