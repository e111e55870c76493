"""Telling people: what is wrong is read off the state, rules say what is told to whom, once, and when it is well."""
