"A trained model as a folder without pickle, and its predictions."
