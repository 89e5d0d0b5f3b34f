"""Ratings to the nearest whole one: halves go up, for one rating, an array and a column alike."""

import numpy as np
import pandas as pd

from thoughttrace.core.nearest_rating import nearest_rating


def test_halves_go_up_where_numpy_takes_them_to_even_numbers() -> None:
    ratings = [1.0, 1.4, 1.5, 2.5, 3.5, 4.49, 5.0]
    nearest = [1, 1, 2, 3, 4, 4, 5]
    assert [nearest_rating(rating) for rating in ratings] == nearest
    assert nearest_rating(np.array(ratings)).tolist() == nearest
    assert nearest_rating(pd.Series([*ratings, np.nan])).dropna().tolist() == nearest
    assert np.round(ratings).tolist() != nearest
