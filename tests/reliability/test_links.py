"""What is written under a predictable name is not written through a link that lies there: others may have laid it."""

import stat
from unittest.mock import MagicMock

import pytest

from st3d.formats import download
from st3d.formats.atomic import atomic, locked
from st3d.training.device import lock_folder
from st3d.workflow.run_locks import RunLock


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_text("kept")
    return path


def test_a_link_in_place_of_a_temporary_file_is_not_written_through(tmp_path, victim):
    (tmp_path / ".model.pt.partial").symlink_to(victim)
    with (
        pytest.raises(OSError, match=r"symbolic links.*\.model\.pt\.partial"),
        atomic(tmp_path / "model.pt") as partial,
    ):
        partial.write_text("new")
    assert victim.read_text() == "kept" and not (tmp_path / "model.pt").exists()


def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path, victim):
    (tmp_path / "a.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path / "a.lock"):
        pass
    with pytest.raises(OSError, match="symbolic links"):
        RunLock(tmp_path / "a.lock").take(alone=True)
    assert victim.read_text() == "kept"


def test_a_link_in_place_of_a_transfer_is_not_followed(tmp_path, victim, monkeypatch):
    (tmp_path / "a.zip.part").symlink_to(victim)

    answer = MagicMock()  # of no bytes
    answer.__enter__.return_value.read.return_value = b""
    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *_, **__: answer)
    with pytest.raises(OSError, match="symbolic links"):
        download._receive("http://localhost/a.zip", tmp_path / "a.zip.part")
    assert victim.read_text() == "kept"


def test_locks_of_gpus_lie_in_a_folder_of_this_user_alone(tmp_path):
    folder = lock_folder(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    folder.chmod(0o777)
    with pytest.raises(OSError, match="expected a folder that only you can write to"):
        lock_folder(tmp_path)
    folder.rename(tmp_path / "other")
    folder.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="expected a folder that only you can write to"):
        lock_folder(tmp_path)
