"""Full training of a network from several seeds, measured once on the test split."""
