"""Every f64 reference kernel of parity as a small PyTorch module of its own, exported with dynamic sizes and without weights."""
