"""Small ONNX graphs, made from nothing but numbers: see catalogue.py."""
