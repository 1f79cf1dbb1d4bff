"""The layers Neptune networks are made of, with flat parameters."""
