"""``weft.yaml``: its models, loading, secrets, schema and template."""
