"""Networks that other libraries build from a description, without their classifiers: images to one vector each."""
