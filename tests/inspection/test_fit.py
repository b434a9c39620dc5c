"""Command `fit`: what it must not do to a user's files."""

from st3d.workflow.command_line import main


def test_a_model_never_replaces_a_scan_that_it_is_fitted_to(folder, capsys):
    scan = folder / "good/000.tiff"
    before = scan.read_bytes()
    assert main(["fit", str(folder / "good"), "--model", str(scan), "--device", "cpu"]) == 1
    assert "expected a file to write the model to, found a scan" in capsys.readouterr().err
    assert scan.read_bytes() == before and not list(folder.rglob("*.fit"))
