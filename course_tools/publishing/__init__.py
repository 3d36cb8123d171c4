"""The course in other forms: website, slides, editions, a pack for machines without a network.

python -m course_tools.publishing.site       (make site)
python -m course_tools.publishing.slides     (make slides)
python -m course_tools.publishing.editions   (make editions)
python -m course_tools.publishing.pack       (make pack)
"""

__all__ = []
