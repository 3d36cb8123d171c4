"""The course in other forms: website, slides, editions for students and teachers, a pack for machines without a network.

    python -m course_utils.publishing.site       (make site)
    python -m course_utils.publishing.slides     (make slides)
    python -m course_utils.publishing.editions   (make editions)
    python -m course_utils.publishing.pack       (make pack)
"""
__all__ = []
