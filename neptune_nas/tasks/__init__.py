"""The tasks of networks: head, loss, augmentation, metrics, chance and prediction."""
