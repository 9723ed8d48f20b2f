"""Time, state and people: the application that runs the other packages."""
