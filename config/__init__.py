"""A site's settings file, read into the option types of the packages below."""
