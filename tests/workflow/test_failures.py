import sys
from pathlib import Path

from st3d.workflow.failures import alone


def test_a_command_alone_has_its_messages_on_the_terminal_and_the_workflows_python(monkeypatch, tmp_path):
    command = "python -m st3d maps\n  --output maps 2> maps.log"
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert alone(command, ["maps.log"], None) == "python -m st3d maps --output maps"
    monkeypatch.setenv("PATH", str(tmp_path))
    found = alone(command, ["maps.log"], None)
    assert found.endswith("/python -m st3d maps --output maps")
    assert Path(found.split()[0]).samefile(Path(sys.executable).parent / "python")
    assert alone(command, ["maps.log"], "an environment") == "python -m st3d maps --output maps"
