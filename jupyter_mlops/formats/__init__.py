"""Models as files: which format keeps a model, how it is written, and how it is read again.

This room travels: into steps, which write models, and into the model server, which reads them. So it needs the standard
library alone, and a framework is imported only when one of its models is at hand.
"""
