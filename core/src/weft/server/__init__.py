"""The HTTP server of ``weft run``: the API, the dashboard, webhooks, and the control socket of the command line.

It decides nothing itself: what people may do and look up is :mod:`weft.desk`. Needs ``weft[daemon]``.
"""
