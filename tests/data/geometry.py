"""Where a box of the model lies in the image, worked out by the processor's rules.

The shorter edge becomes `side` pixels, the longer int(side * long / short); the
square begins (long_resized - side) // 2 pixels in. Nothing of the product is used.
"""


def edges_in_image(
    box: tuple[float, float, float, float], rows: int, columns: int, side: int
) -> list[float]:
    """Return left, top, right, bottom in pixels of an image shown as it is stored."""
    x_min, y_min, x_max, y_max = box
    return [
        _along(x_min, columns, min(rows, columns), side),
        _along(y_min, rows, min(rows, columns), side),
        _along(x_max, columns, min(rows, columns), side),
        _along(y_max, rows, min(rows, columns), side),
    ]


def _along(share: float, length: int, short: int, side: int) -> float:
    if length == short:
        return share * length
    resized = int(side * length / short)
    return ((resized - side) // 2 + share * side) * length / resized
