"""What can be seen of weft from outside: logs, metrics, traces, health. Nothing is imported before it is used."""
