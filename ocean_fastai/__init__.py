"""Images of the sea floor and the sea surface with fastai: classify them, check the answer, export the model.

Importing the package loads nothing heavy: take what you need from its modules, or all of it with
`from ocean_fastai.all import *`."""

__version__ = "0.1.0"
