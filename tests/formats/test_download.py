import hashlib
import io
import logging
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from st3d.formats import download
from st3d.formats.atomic import read_json
from st3d.formats.download import download_3dmatch, download_modelnet10, download_mvtec_3d_ad, fetch, unpack

MESH = "bed/train/bed_0001.off"


def tarred(path, members, mode="w:xz"):
    """A tar of names and contents; a content that is a TarInfo's change makes a link or a device."""
    with tarfile.open(path, mode) as tape:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tape.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content
                tape.addfile(info)
    return path


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


class Server(ThreadingHTTPServer):
    """Serves `content`; `truncated` answers end early, `status` answers with errors, `ranges` may be off."""

    daemon_threads = True

    def __init__(self):
        self.content, self.truncated, self.status, self.ranges = b"", 0, [], True
        self.asked: list[str | None] = []  # the Range of each request
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, content = self.server, self.server.content
        asked = self.headers.get("Range")
        server.asked.append(asked)
        server.paths.append(self.path)
        if server.status:
            self.send_error(server.status.pop(0))
            return
        start = int(asked[6:-1]) if asked and server.ranges else 0
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content)
        if server.truncated:
            server.truncated -= 1
            stop = start + (stop - start) // 2
        self.wfile.write(content[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.01)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def meshes(tmp_path):
    """A zip like ModelNet10's."""
    random = os.urandom(50_000)  # so that it stays large
    members = {f"ModelNet10/{MESH}": "OFF", "ModelNet10/bed/test/bed_0002.off": random, "README.txt": "hello"}
    mac = {"__MACOSX/ModelNet10/bed/train/._bed_0001.off": "x", "ModelNet10/.DS_Store": "x"}
    return zipped(tmp_path / "made.zip", members | mac).read_bytes()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def files(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fault(call, *arguments, **flags) -> str:
    with pytest.raises(ValueError) as caught:
        call(*arguments, **flags)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def modelnet(tmp_path, url, **changes):
    flags = {"url": url, "archive": "", "md5": "", "retries": 3, "output": tmp_path / "data" / "modelnet10"}
    download_modelnet10(**flags | changes)


def test_an_archive_is_fetched_checked_and_unpacked(tmp_path, server, meshes):
    server.content = meshes
    modelnet(tmp_path, server.url("ModelNet10.zip"), md5=md5(meshes).upper())
    folder = tmp_path / "data" / "modelnet10"
    expected = ["README.txt", "bed/test/bed_0002.off", MESH, "complete.json"]
    assert [name for name in files(folder) if not name.startswith(".")] == expected
    assert (folder / MESH).read_text() == "OFF"
    made = read_json(folder / "complete.json")
    assert made["files"] == 3 and made["settings"]["url"] == server.url("ModelNet10.zip")
    assert not list((tmp_path / "data").glob("*.zip*"))


@pytest.mark.parametrize("names", [("bagel",), ("bagel", "rope")])
def test_scans_come_as_a_tar(tmp_path, server, names):
    members = {"license.txt": b"x"} | {f"{name}/train/good/xyz/000.tiff": b"II" for name in names}
    server.content = tarred(tmp_path / "made.tar.xz", members).read_bytes()
    output = tmp_path / "mvtec_3d_ad"
    url = server.url("mvtec.tar.xz")
    download_mvtec_3d_ad(url=url, archive="", md5=md5(server.content), retries=1, output=output)
    assert set(members) | {"complete.json"} <= set(files(output))


def scene(tmp_path, server, name="7-scenes-redkitchen", **changes):
    url = server.url("scene-fragments/{scene}.zip")
    flags = {"scene": name, "url": url, "archive": "", "retries": 2, "output": tmp_path / "data" / "3dmatch" / name}
    download_3dmatch(**flags | changes)
    return files(flags["output"])


@pytest.mark.parametrize("top", ["", "7-scenes-redkitchen/"])
@pytest.mark.parametrize(
    "members",
    [("cloud_bin_0.ply", "cloud_bin_0.info.txt"), ("camera-intrinsics.txt", "seq-01/frame-000000.depth.png")],
)
def test_a_scene_of_3dmatch_comes_as_fragments_or_depth_images(tmp_path, server, top, members):
    server.content = zipped(tmp_path / "made.zip", {top + name: "x" for name in members}).read_bytes()
    found = scene(tmp_path, server)
    assert set(members) | {"complete.json"} == {name for name in found if not name.startswith(".")}
    assert server.paths == ["/scene-fragments/7-scenes-redkitchen.zip"]
    made = read_json(tmp_path / "data" / "3dmatch" / "7-scenes-redkitchen" / "complete.json")
    assert made["settings"]["url"] == server.url("scene-fragments/7-scenes-redkitchen.zip")
    assert not list((tmp_path / "data" / "3dmatch").glob("*.zip*"))


def test_a_copy_of_a_scene_is_taken_from_the_folder_of_copies(tmp_path, server):
    copies = tmp_path / "copies"
    copies.mkdir()
    zipped(copies / "hotel.zip", {"hotel/cloud_bin_7.ply": "x"})
    assert "cloud_bin_7.ply" in scene(tmp_path, server, "hotel", archive=str(copies)) and server.asked == []
    message = fault(scene, tmp_path, server, "kitchen", archive=str(copies))
    assert message == f"{copies}/kitchen.zip: expected the archive of kitchen, found no such file"
    zipped(copies / "other.zip", {"readme.txt": "x"})
    message = fault(scene, tmp_path, server, "other", archive=str(copies))
    assert "expected files like cloud_bin_*.ply or seq-*/*.depth.png, found none" in message


def test_a_scene_that_is_not_there_is_one_line(tmp_path, server):
    server.status = [404]
    message = fault(scene, tmp_path, server, "attic")
    assert message.startswith(
        f"{server.url('scene-fragments/attic.zip')}: not fetched (the server answers 404 Not Found)"
    )
    assert message.endswith(f"put it at {tmp_path}/data/3dmatch/attic.zip and run this again")


def test_a_broken_transfer_goes_on_where_it_stopped(tmp_path, server, meshes):
    server.content, server.truncated = meshes, 2
    fetch(server.url("a.zip"), tmp_path / "a.zip", md5(meshes), retries=3)
    assert (tmp_path / "a.zip").read_bytes() == meshes
    half = len(meshes) // 2
    assert server.asked == [None, f"bytes={half}-", f"bytes={half + (len(meshes) - half) // 2}-"]


def test_a_later_call_resumes_an_earlier_one(tmp_path, server, meshes):
    server.content, server.truncated = meshes, 1
    message = fault(fetch, server.url("a.zip"), tmp_path / "a.zip", "", retries=1)
    assert f"the connection broke at {len(meshes) // 2} of {len(meshes)} bytes" in message
    assert (tmp_path / "a.zip.part").read_bytes() == meshes[: len(meshes) // 2] and not (tmp_path / "a.zip").exists()
    fetch(server.url("a.zip"), tmp_path / "a.zip", "", retries=1)
    assert (tmp_path / "a.zip").read_bytes() == meshes and server.asked[1] == f"bytes={len(meshes) // 2}-"


def test_a_server_that_does_not_resume_is_asked_for_all(tmp_path, server, meshes):
    server.content, server.truncated, server.ranges = meshes, 1, False
    fetch(server.url("a.zip"), tmp_path / "a.zip", md5(meshes), retries=2)
    assert (tmp_path / "a.zip").read_bytes() == meshes


def test_a_part_that_is_already_whole_is_taken(tmp_path, server, meshes):
    server.content = meshes
    (tmp_path / "a.zip.part").write_bytes(meshes)
    fetch(server.url("a.zip"), tmp_path / "a.zip", md5(meshes), retries=1)
    assert (tmp_path / "a.zip").read_bytes() == meshes


def test_a_part_of_another_file_is_thrown_away(tmp_path, server, meshes):
    server.content = meshes
    for other in (b"x" * 100, b"x" * (len(meshes) + 5)):
        (tmp_path / "a.zip.part").write_bytes(other)
        fetch(server.url("a.zip"), tmp_path / "a.zip", md5(meshes), retries=2)
        assert (tmp_path / "a.zip").read_bytes() == meshes


def test_a_wrong_checksum_is_refused_and_leaves_nothing(tmp_path, server, meshes):
    server.content = meshes
    message = fault(modelnet, tmp_path, server.url("a.zip"), md5="0" * 32)
    assert f"wrong content (expected md5 {'0' * 32}, found {md5(meshes)})" in message and len(server.asked) == 3
    assert not (tmp_path / "data" / "modelnet10").exists() and not list((tmp_path / "data").glob("a.zip*"))


def test_a_busy_server_is_asked_again_with_growing_pauses_and_a_missing_file_is_not(tmp_path, server, meshes, caplog):
    server.content, server.status = meshes, [503, 503]
    with caplog.at_level(logging.WARNING):
        fetch(server.url("a.zip"), tmp_path / "a.zip", "", retries=3)
    pauses = [record.getMessage().rsplit(" in ", 1)[1] for record in caplog.records]
    assert pauses == ["0.01 s", "0.02 s"]
    server.status, server.asked = [404, 404], []
    message = fault(fetch, server.url("b.zip"), tmp_path / "b.zip", "", retries=3)
    assert "the server answers 404 Not Found" in message and len(server.asked) == 1


def test_a_closed_network_is_one_line_that_says_what_to_fetch_and_where_to_put_it(tmp_path, server, meshes):
    server.shutdown()
    server.server_close()
    url = server.url("ModelNet10.zip")
    message = fault(modelnet, tmp_path, url)
    place = tmp_path / "data" / "ModelNet10.zip"
    assert message.startswith(f"{url}: not fetched (") and "refused" in message
    assert message.endswith(f"fetch it by other means, put it at {place} and run this again")
    place.write_bytes(meshes)
    modelnet(tmp_path, url)
    assert (tmp_path / "data" / "modelnet10" / "complete.json").exists()


def test_a_local_copy_is_used_first_and_kept(tmp_path, server, meshes):
    copy = tmp_path / "copy.zip"
    copy.write_bytes(meshes)
    modelnet(tmp_path, server.url("a.zip"), archive=str(copy), md5=md5(meshes))
    assert server.asked == [] and copy.exists() and (tmp_path / "data" / "modelnet10" / MESH).exists()


def test_a_copy_that_is_wrong_is_refused_and_kept(tmp_path, server, meshes):
    copy = tmp_path / "copy.zip"
    url = server.url("a.zip")
    assert fault(modelnet, tmp_path, url, archive=str(copy)).startswith(f"{copy}: expected the archive of modelnet10")
    copy.write_bytes(meshes)
    assert "expected md5" in fault(modelnet, tmp_path, url, archive=str(copy), md5="0" * 32)
    for content in (b"hello", meshes[:-30], meshes[:2000], b""):
        copy.write_bytes(content)
        message = fault(modelnet, tmp_path, url, archive=str(copy))
        assert message.startswith(f"{copy}: not unpacked, ") and message.endswith(f"get it whole from {url}")
    zipped(copy, {"other/readme.txt": "x"})
    assert "expected files like */train/*.off, found none" in fault(modelnet, tmp_path, url, archive=str(copy))
    assert copy.exists() and not (tmp_path / "data" / "modelnet10").exists()


def test_a_truncated_tar_is_refused(tmp_path):
    path = tarred(tmp_path / "a.tar.xz", {"a": os.urandom(20_000)})
    path.write_bytes(path.read_bytes()[:-5000])
    flags = {"url": "http://127.0.0.1/a.tar.xz", "archive": str(path), "md5": "", "retries": 1}
    message = fault(download_mvtec_3d_ad, **flags, output=tmp_path / "out")
    assert message.startswith(f"{path}: not unpacked, ") and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name, content",
    [
        ("../evil", b"x"),
        ("a/../../evil", b"x"),
        ("/var/evil", b"x"),
        ("link", (tarfile.SYMTYPE, "../../evil")),
        ("link", (tarfile.SYMTYPE, "/etc/passwd")),
        ("link", (tarfile.LNKTYPE, "../evil")),
        ("pipe", (tarfile.FIFOTYPE, "")),
        ("device", (tarfile.CHRTYPE, "")),
    ],
)
def test_a_member_that_reaches_outside_is_refused(tmp_path, name, content):
    tape = tarred(tmp_path / "a.tar.xz", {"bagel/train/good/xyz/000.tiff": b"II", name: content})
    flags = {"url": "http://127.0.0.1/a.tar.xz", "md5": "", "retries": 1, "output": tmp_path / "sub" / "out"}
    message = fault(download_mvtec_3d_ad, archive=str(tape), **flags)
    assert message.startswith(f"{tape}: not unpacked, expected ") and f"'{name}'" in message
    if isinstance(content, bytes):
        assert f"'{name}'" in fault(unpack, zipped(tmp_path / "a.zip", {name: content}), tmp_path / "sub" / "zip")
    assert not (tmp_path / "sub" / "out").exists() and not list(tmp_path.rglob("evil"))


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "../evil")
    assert "found a link or device 'link'" in fault(unpack, tmp_path / "a.zip", tmp_path)


def test_a_folder_of_the_users_own_is_not_replaced(tmp_path, server, meshes):
    own = tmp_path / "data" / "modelnet10" / "mine.off"
    own.parent.mkdir(parents=True)
    own.write_text("OFF")
    server.content = meshes
    assert "found other files" in fault(modelnet, tmp_path, server.url("a.zip"))
    assert files(own.parent) == ["mine.off"]


def test_a_second_run_replaces_the_first(tmp_path, server, meshes):
    server.content = meshes
    modelnet(tmp_path, server.url("a.zip"))
    (tmp_path / "data" / "modelnet10" / MESH).unlink()
    modelnet(tmp_path, server.url("a.zip"))
    assert (tmp_path / "data" / "modelnet10" / MESH).exists()


def test_an_address_must_be_http(tmp_path):
    assert "expected an address with http or https" in fault(fetch, "file:///etc/passwd", tmp_path / "a", "", 1)


FULL_DISK = """
import resource, sys
from pathlib import Path
from st3d.formats.download import download_3dmatch, download_modelnet10
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))  # the system refuses to write more, as a full disk does
try:
    download_modelnet10(url=sys.argv[1], archive=sys.argv[2], md5="", retries=3, output=Path(sys.argv[3]))
except ValueError as error:
    print(error)
"""


def test_a_full_disk_is_one_line(tmp_path, server, meshes):
    server.content = meshes
    copy, output = tmp_path / "copy.zip", tmp_path / "data" / "modelnet10"
    copy.write_bytes(meshes)
    url = server.url("a.zip")
    said = {}
    for archive in ("", str(copy)):
        done = subprocess.run([sys.executable, "-c", FULL_DISK, url, archive, output], capture_output=True, text=True)
        assert done.stderr == "" and not output.exists()
        said[archive] = done.stdout
    assert said[""] == f"{tmp_path}/data/a.zip.part: not written, File too large; the part so far is kept\n"
    assert said[str(copy)] == f"{output}: not unpacked, File too large: {copy}\n"
