"""From a registered model to an endpoint: the port, its local adapter, the model server, and calls."""
