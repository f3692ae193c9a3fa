"""Groups near-duplicates, so that no wording stands on both sides of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import StratifiedGroupKFold

from model.features import words_of
from model.normalise import canonical
from training.templates import SLOT

SEED = 42
SIMILAR = 0.8
"""From this share of common words on (Jaccard), two texts are the same wording."""

HELD_OUT_FOLDS = 6
"""One of so many folds is held out from training."""


def groups_of(texts: Sequence[str]) -> npt.NDArray[np.int32]:
    """(n_texts,), the group of each text; near-duplicates share one."""
    words = [set(words_of(canonical(SLOT.sub("", text)))) or {""} for text in texts]
    matrix = CountVectorizer(analyzer=set, dtype=np.int32).fit_transform(words)
    common = (matrix @ matrix.T).tocoo()
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    union = sizes[common.row] + sizes[common.col] - common.data
    is_same = common.data >= SIMILAR * union
    links = csr_matrix(
        (np.ones(is_same.sum()), (common.row[is_same], common.col[is_same])), shape=common.shape
    )
    labels: npt.NDArray[np.int32] = connected_components(links, directed=False)[1]
    return labels


def held_out(texts: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(n_texts,), true for the part that training never sees: whole groups, every category."""
    folds = StratifiedGroupKFold(HELD_OUT_FOLDS, shuffle=True, random_state=SEED)
    _, rows = next(folds.split(texts, labels, groups_of(texts)))
    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    return mask
