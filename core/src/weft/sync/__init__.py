"""The sync cycle: capture -> identify -> decide -> route -> deliver -> settle, one file a step.

Start reading at :mod:`weft.sync.cycle`.
"""
