"""How a network is trained: the recipe, its schedule and optimiser, augmentation, and the loop."""
