"Transects: where a camera went, what it saw of the water, and how much there is in all."
