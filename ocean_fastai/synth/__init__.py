"Drawn ROV scenes with known truth, for the demo, the tests and the documentation."
