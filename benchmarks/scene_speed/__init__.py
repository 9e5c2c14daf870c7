"""How fast a step of a scene's edit is, and where its time goes: against its parts measured alone."""
