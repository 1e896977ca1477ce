"""The models: their configurations, PyTorch modules and NumPy decoders."""
