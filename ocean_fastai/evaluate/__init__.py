"How good the predictions are, and how sure one can be of that."
