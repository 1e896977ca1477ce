"""Export: a trained model as a page, a Hugging Face folder or an ONNX file."""
