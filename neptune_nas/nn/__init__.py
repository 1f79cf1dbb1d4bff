"""The layers that Neptune networks are made of, with flat parameters."""
