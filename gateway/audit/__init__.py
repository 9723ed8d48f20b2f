"""PS3.15 A.5 audit messages: what is written for each step."""
