"""HTTP for connectors: one session per connection, truthful failures, OData, exact JSON.

Import from the modules, each is named after the thing it holds::

    from weft.net.session import HttpSession, HttpSettings
    from weft.net.entra import ClientCredentials
    from weft.net.errors import MaybeSent, NotSent
    from weft.net.odata.client import ODataClient

This package imports nothing by itself, so that `import weft` stays fast.
"""
