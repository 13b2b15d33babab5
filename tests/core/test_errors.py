"""The exceptions: one tree, one message, an exit code for the command line, whole after pickling."""

import pickle

import pytest

from limner.core import errors
from limner.core.errors import InputError, LimnerError, MissingDependency, PictureError, QueryError

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


def test_everything_is_a_limner_error_and_stands_in_the_tree():
    for error in ALL:
        assert issubclass(error, LimnerError)
        assert error.__name__ in (errors.__doc__ or "")


def test_exit_codes():
    assert InputError.exit_code == QueryError.exit_code == 2
    assert LimnerError.exit_code == errors.CollectionBusy.exit_code == 1


def test_query_error_points_at_the_place():
    message, text, caret = str(QueryError("a quote is not closed", 'red "car', 4)).split("\n")
    assert message == "a quote is not closed"
    assert text[caret.index("^")] == '"'


@pytest.mark.parametrize(
    "error", [PictureError("a.jpg", "empty file"), QueryError("wrong", "text", 1), InputError("no")]
)
def test_errors_cross_processes(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


def test_missing_dependency_says_how_to_get_it():
    assert "pip install 'limner[parquet]'" in str(MissingDependency("pyarrow", "a .parquet file", "parquet"))
