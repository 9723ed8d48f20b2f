"""The model behind a server of vLLM, and the engine that asks it.

`plugin` runs within vLLM and is the home of vllm, `serving` starts a server; both in
an environment of their own. `asking` needs neither vllm nor torch: the gateway speaks
HTTP, by the protocol of OpenAI's chat completions.
"""
