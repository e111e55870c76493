"""The daemon: what is to be done and when, durable queues, leases, hooks.

Truth stays in the state; a job only says *run this scope*. Start reading at :mod:`weft.jobs.daemon`.
Only :mod:`weft.jobs.dbos_queue` imports DBOS, which takes seconds.
"""
