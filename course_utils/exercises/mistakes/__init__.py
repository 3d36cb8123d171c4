"""References of the exercises and the mistakes that their checks name, by topic.

A check (`notebook_05.py`) says which inputs are tried and what is demanded; the modules here hold
the tables {message: function that makes the mistake} and the right functions beside them. Each
topic belongs to one exercise or a few of one lesson.
"""

__all__ = []
