"Whole jobs over folders: what the command line calls, and what a notebook can call as well."
