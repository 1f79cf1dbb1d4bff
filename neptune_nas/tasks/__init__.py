"""What networks are trained to do: head, loss, augmentation, metrics, chance and prediction."""
