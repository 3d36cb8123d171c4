"""Grading of submitted notebooks (`python -m course_tools.grading grade`), for teachers.

submissions   finds the notebooks of a folder and says whose and which they are
names         whose a submission is, from its path
isolation     says what is in force here: bubblewrap, or limits only
sandbox       a process apart: no network, files read-only, limits on seconds and memory
runner        its program, which runs the cells and the official checks
shell         how it runs a cell: magics and shell lines where there is no terminal
grade         one submission from its copy to its row
marks         rows, CSV and the table of exercises
nbgrader      the course as source notebooks for nbgrader
"""

__all__ = []
