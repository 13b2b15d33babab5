"""What is measured when a training has ended, one kind a file: a trained model -> values query by query."""
