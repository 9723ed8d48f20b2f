"""The console: a FastAPI application, its pages and its static files."""
