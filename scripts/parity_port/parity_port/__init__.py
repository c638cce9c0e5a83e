"""What a port needs beside parity: seeded weights, the trace format, a recorder for PyTorch."""
