"""The stages of a study, one function each, and the turns in which they are taken."""
