"""The training of a network: recipe, schedule, optimiser and loop."""
