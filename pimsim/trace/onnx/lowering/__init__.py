"""What stands in the place of ONNX's nodes that a trace has no op for; a file for each family of them."""
