"""The first room of the flow: a notebook file becomes cells, IPython syntax becomes Python, metadata becomes requests."""
