"From labels that are there to labels that are not."
