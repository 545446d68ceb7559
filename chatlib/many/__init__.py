"""Many requests at once: on threads or awaited, with a file of results that survives a crash.

The two forms, :func:`~chatlib.many.threads.run_many` and :func:`~chatlib.many.tasks.arun_many`, are
one short loop each, which starts calls and waits for them. What they obey is said once, and does
nothing to the world: ``asked`` says which request is which, ``flow`` when the next may begin and
which result is next, ``lines`` what a result is in a file. ``file`` keeps the file, ``progress``
shows the bar, and ``scheduler`` puts them together for the loops.
"""
