"""Lightning modules: thin, manual optimisation, one dict logged a step."""
