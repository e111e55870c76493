"""The Creatio package weft installs: objects, columns and an outbox that stock Creatio lacks.

``objects.yaml`` declares it, ``build`` turns it into a package tree, ``archive`` packs the tree,
``install`` reads archives and installs them, ``names`` gives the prefixed names to the mappings.
"""
