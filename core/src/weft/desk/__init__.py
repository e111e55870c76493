"""The desk: what people look at and decide. The command line and the HTTP API share what is here.

An :class:`~weft.desk.action.Action` is one thing a person may do; :mod:`weft.desk.actions` lists them
all. Nothing here knows who asks: a terminal, a browser or a program.
"""
