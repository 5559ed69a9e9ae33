"""Study: a YAML file becomes a plan of cells, the cells are run, what they left becomes results."""
