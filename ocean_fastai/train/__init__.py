"Losses, metrics, models and the two-stage training of a fastai Learner."
