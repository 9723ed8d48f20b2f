"""The model as an application of Ray Serve, and the engine that asks it.

`replica` and `deploying` are the home of ray; `asking` needs none: the gateway speaks
HTTP to the proxies of Serve, so that a cluster that falls takes no gateway with it.
"""
