"""Take ratings to the nearest whole one."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Ratings = TypeVar("Ratings", float, npt.NDArray[np.float64], "pd.Series[float]")


def nearest_rating(ratings: "Ratings") -> "Ratings":
    """Take a rating, or each of several, to the nearest whole one, halves up.

    Python and NumPy round halves to even numbers: 2.5 would be a 2 and 3.5 a 4.
    """
    return (ratings + 0.5) // 1
