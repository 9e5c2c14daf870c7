"""Models of the Toybox world: training recipes, weights, the judge, and the measurement of their quality."""
