"""Reports of a study for people: the page, tables, figures, drawings."""
