"""Pictures drawn for tests, simpler than a phantom."""

import numpy as np

from model.report import GreyImage


def drawn_chest() -> GreyImage:
    """Return two dark ovals beside a bright column; (240, 192), not symmetrical."""
    y, x = np.mgrid[:240, :192] / np.array((240.0, 192.0))[:, None, None]
    shades = 0.7 + 0.1 * y + 0.1 * np.cos(40.0 * x) * np.cos(30.0 * y)
    for centre, tall in ((0.3, 0.3), (0.7, 0.26)):
        oval = np.hypot((x - centre) / 0.15, (y - 0.45) / tall) < 1.0
        shades = np.where(oval, 0.15 + 0.1 * y, shades)
    return np.asarray(shades * 255.0, dtype=np.uint8)
