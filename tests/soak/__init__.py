"""Many calls for a long time, and what they take and leave: see :mod:`tests.soak.run`."""
