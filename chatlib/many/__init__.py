"""Concurrent requests in threads or tasks, with a results file that survives a crash.

:func:`~chatlib.many.threads.run_many` and :func:`~chatlib.many.tasks.arun_many` are one loop each,
which starts calls and waits for them. What they share does no I/O: ``jobs`` identifies requests,
``window`` decides when the next request may start and which result is next, ``result_lines``
encodes results. ``results_file`` stores them, ``progress`` shows the progress bar, and
``scheduler`` combines all of it for the two loops.
"""
