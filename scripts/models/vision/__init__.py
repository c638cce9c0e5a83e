"""Public architectures of torchvision and timm with random weights, as both exporters of PyTorch write them."""
