"""The cluster's books: which request is where, who holds which KV blocks. No clock, no device, no SimPy.

Both backends keep the same books. A backend drives them: it tells a lane that iterations have ended
(`settle`) and asks it for the next one (`schedule`).
"""
