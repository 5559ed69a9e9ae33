"""Speed, in CPU time, against the plain reference in the same run: `make bench`."""
