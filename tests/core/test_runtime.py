"""Where things go."""

from pathlib import Path

from limner.core.runtime import cpu_count, user_data_dir


def test_home_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("LIMNER_HOME", str(tmp_path))
    assert user_data_dir() == tmp_path
    monkeypatch.delenv("LIMNER_HOME")
    assert user_data_dir().name == "limner"
    assert user_data_dir() != Path()


def test_there_is_a_processor():
    assert cpu_count() >= 1
