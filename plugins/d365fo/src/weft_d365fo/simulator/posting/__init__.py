"""Posting: what people and batch jobs do with documents that came in. No action of /data posts anything."""
