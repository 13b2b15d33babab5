"""Relevance feedback: a question moved towards what was found right and away from what was not.

Rocchio's rule, q' = alpha q + beta mean(relevant) - gamma mean(irrelevant) (Rocchio 1971; card 118), written as a
Query: the examples become terms with those weights, so it holds in every kind of space that the engine combines
terms in, and each example's share of a score is told like that of a word.
"""

from __future__ import annotations

from collections.abc import Sequence

from limner.core.query import Example, Query, Term

ALPHA, BETA, GAMMA = 1.0, 0.75, 0.15
"""The weights that Manning et al., Introduction to Information Retrieval (2008), section 9.1.1, call reasonable."""


def rocchio(
    query: Query,
    relevant: Sequence[str],
    irrelevant: Sequence[str] = (),
    *,
    alpha: float = ALPHA,
    beta: float = BETA,
    gamma: float = GAMMA,
) -> Query:
    """The query after feedback: `relevant` and `irrelevant` are ids of items.

    With the ids of the best hits as `relevant` it is pseudo-relevance feedback.
    """
    terms = [Term(term.content, alpha * term.weight) for term in query.terms]
    terms += [Term(Example(id), beta / len(relevant)) for id in relevant]
    terms += [Term(Example(id), -gamma / len(irrelevant)) for id in irrelevant]
    return Query(tuple(terms), query.where)
