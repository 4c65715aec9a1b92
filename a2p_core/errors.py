"""Errors whose text is meant for the person at the keyboard."""


class UserError(Exception):
    """Something the user can mend. The message is one sentence: what is wrong and what to do.

    The command line prints it and exits with code 2; the worker sends it as an ``error`` event; an operator
    reports it. It is never shown with a traceback.
    """


class Cancelled(Exception):
    """The user asked a running job to stop. Nothing has been written."""
