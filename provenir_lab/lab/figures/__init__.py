"""The figures: for each a function that builds plain data (`data`) and one that draws it (`draw`).

`pictures_of(result)` gives all that a baseline or experiment has, ready for a page; `main_picture` the first.
"""

from provenir_lab.lab.figures.choose import main_picture, picture_of, pictures_of
from provenir_lab.lab.figures.picture import Picture

__all__ = ["Picture", "main_picture", "picture_of", "pictures_of"]
