"""Models without torch: the checked folder (`bundle`), its encoder (`onnx`), the pipeline that feeds it (`stream`)."""
