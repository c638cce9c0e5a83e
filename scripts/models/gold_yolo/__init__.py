"""Gold-YOLO-N in PyTorch, written from its published structure: network, assigners, loss and their ONNX exports."""
